/**
 * The services whose network activity events can be chosen.
 * Source: CloudTrail User Guide, "Logging network activity events" (2026-04-13); cloudtrail.md Appendix B.
 */

const NAMES =
  'aco-automation appconfig application-signals appmesh athena b2bi backup-gateway bcm-data-exports bcm-pricing-calculator bedrock bedrock-agentcore billing cassandra ce cloudcontrolapi cloudformation cloudhsm cloudoptimization cloudtrail codedeploy comprehend comprehendmedical config ds dynamodb ec2 ecs elasticfilesystem elasticloadbalancing events firehose frauddetector freetier fsx glue healthlake invoicing iot iotfleetwise iotsecuredtunneling kms lakeformation lambda license-manager lookoutequipment lookoutvision monitoring nova-act personalize qbusiness rds rekognition rolesanywhere s3 sagemaker scheduler secretsmanager servicediscovery sns sqs ssm ssm-contacts storagegateway swf textract transcribe transcribestreaming transform transform-agents transform-custom translate user-subscriptions verifiedpermissions voiceid workmail workmailmessageflow';

/** Such as `ec2.amazonaws.com`. */
export const NETWORK_SOURCES: ReadonlySet<string> = new Set(NAMES.split(' ').map((name) => `${name}.amazonaws.com`));
