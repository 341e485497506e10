/**
 * The types of resource that data events can be chosen by, each with the form of its ARNs.
 *
 * A line: the service in the type's name, the services in its ARNs (joined by `|`; `*` where the reference does not say), and the things,
 * each with the beginning of its ARN's resource part behind `=` where that is fixed. A form only guards `Equals` and `NotEquals`
 * against the ARN of something else, which could never match; all other operators take parts of ARNs.
 * Source: CloudTrail User Guide, "Data events" (2026-04-13), and the Service Authorization Reference; cloudtrail.md Appendix A.
 */
import { parseArn } from '../event/arn.ts';

const LINES = [
  'AIDevOps aidevops AgentSpace Association OperatorAppTeam PipelineMetadata Service',
  'AIOps aiops InvestigationGroup=investigation-group/',
  'AppConfig appconfig Configuration=application/',
  'AppSync appsync GraphQLApi=apis/',
  'B2BI b2bi Transformer=transformer/',
  'Backup backup SearchJob=search-job/',
  'Bedrock bedrock AdvancedOptimizePromptJob AgentAlias=agent-alias/ AsyncInvoke=async-invoke/ AutomatedReasoningPolicy=automated-reasoning-policy/ AutomatedReasoningPolicyVersion=automated-reasoning-policy/ Blueprint=blueprint/ DataAutomationInvocation=data-automation-invocation/ DataAutomationProfile=data-automation-profile/ DataAutomationProject=data-automation-project/ FlowAlias=flow/ FlowExecution=flow/ Guardrail=guardrail/ InlineAgent KnowledgeBase=knowledge-base/ Model PromptVersion=prompt/ Session=session/ Tool',
  'BedrockAgentCore bedrock-agentcore APIKeyCredentialProvider=token-vault/ Browser=browser BrowserCustom=browser CodeInterpreter=code-interpreter CodeInterpreterCustom=code-interpreter Evaluator Gateway=gateway/ Memory=memory/ OAuth2CredentialProvider=token-vault/ Runtime=runtime/ RuntimeEndpoint=runtime/ TokenVault=token-vault/ WorkloadIdentity=workload-identity-directory/ WorkloadIdentityDirectory=workload-identity-directory/',
  'Cassandra cassandra Stream=/keyspace/ Table=/keyspace/',
  'CloudFront cloudfront KeyValueStore=key-value-store/',
  'CloudOptimization * Profile Recommendation',
  'CloudTrail cloudtrail Channel=channel/',
  'CloudWatch cloudwatch Metric',
  'CodeGuruProfiler codeguru-profiler ProfilingGroup=profilingGroup/',
  'CodeWhisperer codewhisperer Customization=customization/ Profile=profile/',
  'Cognito cognito-identity IdentityPool=identitypool/',
  'DSQL dsql Cluster=cluster/',
  'DataExchange dataexchange Asset',
  'Deadline deadline Fleet=farm/ Job=farm/ Queue=farm/ Worker=farm/',
  'DynamoDB dynamodb Stream=table/ Table=table/',
  'EC2 ec2 InstanceConnectEndpoint=instance-connect-endpoint/ Snapshot=snapshot/',
  'ECS ecs ContainerInstance=container-instance/',
  'EKS eks Dashboard=dashboard/',
  'EMRWAL emrwal|elasticmapreduce Workspace',
  'FSx fsx Volume=volume/',
  'FinSpace finspace Environment=environment/',
  'GameLiftStreams gameliftstreams Application=application/ StreamGroup=streamgroup/',
  'GeoMaps geo-maps Provider=provider/',
  'GeoPlaces geo-places Provider=provider/',
  'GeoRoutes geo-routes Provider=provider/',
  'Glue glue Table=table/',
  'GreengrassV2 greengrass ComponentVersion=components: Deployment=deployments:',
  'GuardDuty guardduty Detector=detector/ MalwareScan',
  'IoT iot Certificate=cert/ Thing=thing/',
  'IoTSiteWise iotsitewise Asset=asset/ TimeSeries=time-series/',
  'IoTTwinMaker iottwinmaker Entity=workspace/ Workspace=workspace/',
  'KendraRanking kendra-ranking ExecutionPlan=rescore-execution-plan/',
  'Kinesis kinesis Stream=stream/ StreamConsumer=stream/',
  'KinesisFirehose firehose DeliveryStream=deliverystream/',
  'KinesisVideo kinesisvideo SignalingChannel=channel/ Stream=stream/',
  'Lambda lambda Function=function:',
  'MWAA airflow Environment=environment/',
  'MachineLearning machinelearning MlModel=mlmodel/',
  'ManagedBlockchain managedblockchain Network=networks/ Node=nodes/',
  'ManagedBlockchainQuery managedblockchain-query QueryAPI',
  'MedicalImaging medical-imaging Datastore=datastore/ Imageset=datastore/',
  'NeptuneGraph neptune-graph Graph=graph/',
  'NetworkFlowMonitor networkflowmonitor Monitor=monitor/ Scope=scope/',
  'NovaAct nova-act WorkflowDefinition WorkflowRun',
  'One one UKey User',
  'PCAConnectorAD pca-connector-ad Connector=connector/',
  'PCAConnectorSCEP pca-connector-scep Connector=connector/',
  'PaymentCryptography payment-cryptography Alias=alias/ Key=key/',
  'Pinpoint mobiletargeting App=apps/',
  'QApps qapps QApp=application/ QAppSession=application/',
  'QBusiness qbusiness Application=application/ DataSource=application/ Index=application/ Integration=application/ WebExperience=application/',
  'QDeveloper qdeveloper Integration',
  'QuickSight quicksight Flow=flow/ FlowSession=flow/',
  'Quicksight quicksight ActionConnector',
  'RDS rds DBCluster=cluster:',
  'RUM rum AppMonitor=appmonitor/',
  'Redshift redshift Cluster',
  'S3 s3 AccessPoint=accesspoint/ Object',
  'S3Express s3express Object=bucket/',
  'S3ObjectLambda s3-object-lambda AccessPoint=accesspoint/',
  'S3Outposts s3-outposts Object',
  'S3Tables s3tables Table=bucket/ TableBucket=bucket/',
  'S3Vectors s3vectors Index=bucket/ VectorBucket=bucket/',
  'SCN scn Instance',
  'SDB sdb Domain=domain/',
  'SES ses ConfigurationSet=configuration-set/ EmailIdentity=identity/ Template=template/',
  'SMSVoice sms-voice Message OriginationIdentity',
  'SNS sns PlatformEndpoint=endpoint/ Topic',
  'SQS sqs Queue',
  'SSM ssm|ec2 ExecutionPreview ManagedNode',
  'SSMMessages ssmmessages ControlChannel',
  'SWF swf Domain=/domain/',
  'SageMaker sagemaker Endpoint=endpoint/ ExperimentTrialComponent=experiment-trial-component/ FeatureGroup=feature-group/ MlflowTrackingServer=mlflow-tracking-server/',
  'ServiceDiscovery servicediscovery Namespace=namespace/ Service=service/',
  'Signer signer SigningJob=/signing-jobs/ SigningProfile=/signing-profiles/',
  'SitewiseAssistant * Conversation',
  'SocialMessaging social-messaging PhoneNumberId=phone-number-id/ WabaId',
  'StepFunctions states Activity=activity: StateMachine=stateMachine:',
  'SupportAccess * Tenant TrustingAccount TrustingRole',
  'ThinClient thinclient Device=device/ Environment=environment/',
  'Timestream timestream Database=database/ RegionalEndpoint Table=database/',
  'Transform transform AgentInstance',
  'TransformCustom transform-custom Campaign Conversation KnowledgeItem Package',
  'VerifiedPermissions verifiedpermissions PolicyStore=policy-store/',
  'XRay xray Trace',
];

/** How the ARNs of a type look. */
export interface ArnForm {
  /** Empty when any service will do. */
  readonly services: readonly string[];
  /** Beginning of the resource part; empty when none is fixed. */
  readonly beginning: string;
}

const FORMS: ReadonlyMap<string, ArnForm> = new Map(
  LINES.flatMap((line) => {
    const [service, arnServices, ...things] = line.split(' ');
    const services = arnServices === '*' ? [] : arnServices!.split('|');
    return things.map((text): [string, ArnForm] => {
      const [thing, beginning = ''] = text.split('=');
      return [`AWS::${service}::${thing}`, { services, beginning }];
    });
  }),
);

/** All types, such as `AWS::S3::Object`, by name. */
export function resourceTypes(): readonly string[] {
  return [...FORMS.keys()];
}

/** The form of a type's ARNs; `undefined` for a type that no data events are chosen by. */
export function arnFormOf(type: string): ArnForm | undefined {
  return FORMS.get(type);
}

/** True when the text is a whole ARN that a resource of this form can have, in any partition. */
export function hasForm(text: string, { services, beginning }: ArnForm): boolean {
  const arn = parseArn(text);
  if (arn === undefined || !arn.partition.startsWith('aws')) return false;
  return (services.length === 0 || services.includes(arn.service)) && arn.resource.startsWith(beginning);
}
