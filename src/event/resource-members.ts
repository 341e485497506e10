/**
 * Which members of a request or an answer name a resource, and of which type.
 *
 * The service derives LookupEvents' `Resources` by rules that it does not publish; this table is ours, built from the
 * members that real records carry. A name says nothing without its service (`name` is a trail here, a parameter there),
 * so the table is kept by event source, with a few names that mean the same everywhere.
 * Source: cloudtrail.md §6 "Resources".
 */

/** Member name to resource type, as one line `type member member …`. */
function table(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.flatMap((line) => {
      const [type, ...members] = line.split(' ');
      return members.map((member): [string, string] => [member, `AWS::${type}`]);
    }),
  );
}

/** Members that mean the same in every service. */
const EVERYWHERE = table([
  'S3::Bucket bucketName s3BucketName',
  'IAM::Role roleArn roleARN',
  'KMS::Key kmsKeyId kmsKeyArn kMSMasterKeyArn',
  'EC2::VPC vpcId',
  'EC2::Subnet subnetId',
  'EC2::SecurityGroup securityGroupId vpcSecurityGroupId',
  'EC2::Instance instanceId',
  'Lambda::Function functionArn functionName',
  'SNS::Topic topicArn snsTopicARN snsTopicArn',
  'Logs::LogGroup logGroupName',
  'SecretsManager::Secret secretArn',
]);

const BY_SOURCE: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.entries({
    'ec2.amazonaws.com': table([
      'EC2::Instance InstanceId',
      'EC2::Subnet SubnetId',
      'EC2::SecurityGroup groupId GroupId groupName',
      'EC2::KeyPair keyName KeyName',
      'EC2::Volume volumeId VolumeId',
      'EC2::Snapshot snapshotId SnapshotId',
      'EC2::Image imageId ImageId',
      'EC2::NetworkAcl networkAclId',
      'EC2::RouteTable routeTableId',
      'EC2::InternetGateway internetGatewayId',
      'EC2::NatGateway natGatewayId',
      'EC2::NetworkInterface networkInterfaceId',
      'EC2::EIP allocationId AllocationId',
      'EC2::DHCPOptions dhcpOptionsId',
      'EC2::LaunchTemplate launchTemplateId LaunchTemplateId',
      'EC2::VPCEndpoint vpcEndpointId VpcEndpointId',
      'EC2::VPCPeeringConnection vpcPeeringConnectionId',
      'EC2::FlowLog flowLogId FlowLogId',
      'EC2::TransitGateway transitGatewayId TransitGatewayId',
      'EC2::VPC VpcId',
    ]),
    'iam.amazonaws.com': table([
      'IAM::User userName',
      'IAM::Role roleName',
      'IAM::Group groupName',
      'IAM::Policy policyArn policyName',
      'IAM::InstanceProfile instanceProfileName',
      'IAM::AccessKey accessKeyId',
      'IAM::MFADevice serialNumber',
      'IAM::SAMLProvider sAMLProviderArn',
      'IAM::OIDCProvider openIDConnectProviderArn',
      'IAM::ServerCertificate serverCertificateName',
    ]),
    'sts.amazonaws.com': table(['STS::AssumedRole assumedRoleId', 'IAM::AccessKey accessKeyId']),
    'signin.amazonaws.com': table([]),
    'cloudtrail.amazonaws.com': table([
      'CloudTrail::Trail name trailName trailARN',
      'CloudTrail::EventDataStore eventDataStore eventDataStoreArn',
      'CloudTrail::Channel channel channelArn',
      'IAM::Role cloudWatchLogsRoleArn',
      'Logs::LogGroup cloudWatchLogsLogGroupArn',
    ]),
    's3.amazonaws.com': table(['S3::Object key']),
    'kms.amazonaws.com': table(['KMS::Key keyId targetKeyId', 'KMS::Alias aliasName']),
    'lambda.amazonaws.com': table(['Lambda::LayerVersion layerVersionArn', 'IAM::Role role']),
    'dynamodb.amazonaws.com': table(['DynamoDB::Table tableName tableArn TableName']),
    'rds.amazonaws.com': table([
      'RDS::DBInstance dBInstanceIdentifier dBInstanceArn',
      'RDS::DBCluster dBClusterIdentifier dBClusterArn',
      'RDS::DBSnapshot dBSnapshotIdentifier dBSnapshotArn',
      'RDS::DBClusterSnapshot dBClusterSnapshotIdentifier',
      'RDS::DBSubnetGroup dBSubnetGroupName',
      'RDS::DBParameterGroup dBParameterGroupName',
    ]),
    'secretsmanager.amazonaws.com': table(['SecretsManager::Secret secretId arn aRN name']),
    'ssm.amazonaws.com': table(['SSM::Document documentName', 'SSM::Association associationId']),
    'sns.amazonaws.com': table(['SNS::Subscription subscriptionArn']),
    'sqs.amazonaws.com': table(['SQS::Queue queueName queueUrl']),
    'autoscaling.amazonaws.com': table([
      'AutoScaling::AutoScalingGroup autoScalingGroupName',
      'AutoScaling::LaunchConfiguration launchConfigurationName',
    ]),
    'cloudformation.amazonaws.com': table(['CloudFormation::Stack stackName stackId']),
    'elasticloadbalancing.amazonaws.com': table([
      'ElasticLoadBalancing::LoadBalancer loadBalancerName',
      'ElasticLoadBalancingV2::LoadBalancer loadBalancerArn',
      'ElasticLoadBalancingV2::TargetGroup targetGroupArn',
    ]),
    'ecr.amazonaws.com': table(['ECR::Repository repositoryName']),
    'eks.amazonaws.com': table(['EKS::Cluster clusterName']),
    'ecs.amazonaws.com': table([
      'ECS::Cluster cluster clusterName',
      'ECS::Service service serviceName',
      'ECS::TaskDefinition taskDefinition',
    ]),
    'guardduty.amazonaws.com': table(['GuardDuty::Detector detectorId']),
    'monitoring.amazonaws.com': table(['CloudWatch::Alarm alarmName']),
    'logs.amazonaws.com': table(['Logs::LogStream logStreamName']),
    'events.amazonaws.com': table(['Events::Rule name ruleArn']),
    'config.amazonaws.com': table([
      'Config::ConfigurationRecorder configurationRecorderName',
      'Config::DeliveryChannel deliveryChannelName',
      'Config::ConfigRule configRuleName',
    ]),
    'rolesanywhere.amazonaws.com': table(['RolesAnywhere::Profile profileArn', 'RolesAnywhere::TrustAnchor trustAnchorArn']),
    'athena.amazonaws.com': table(['Athena::WorkGroup workGroup', 'Athena::NamedQuery namedQueryId']),
    'kinesis.amazonaws.com': table(['Kinesis::Stream streamName streamARN']),
    'acm.amazonaws.com': table(['CertificateManager::Certificate certificateArn']),
  }),
);

const NO_MEMBERS: ReadonlyMap<string, string> = new Map();

/** Merged once for each source, so that a look-up is one step on the hot path. */
const MERGED: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  [...BY_SOURCE].map(([source, members]) => [source, new Map([...EVERYWHERE, ...members])]),
);

/** Types by member name for one event source. */
export function resourceMembersOf(eventSource: string): ReadonlyMap<string, string> {
  return MERGED.get(eventSource) ?? (eventSource === '' ? NO_MEMBERS : EVERYWHERE);
}

/** Parameters whose API begins so are named by `name` in `ssm.amazonaws.com`; documents and windows are not. */
export function isParameterApi(eventName: string): boolean {
  return /^(?:Get|Put|Delete|Label|Unlabel)Parameter/.test(eventName);
}
