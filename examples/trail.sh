#!/usr/bin/env bash
# A trail from nothing to a verified digest, with the AWS CLI.
#
# Run: examples/trail.sh [NAME, default `main`], after `eval "$(bin/snowtrail env)"`. The server's digest interval is how long it
# takes: start it with `--flush-interval 2s --digest-interval 20s`.
set -euo pipefail

name=${1:-main}
bucket=$name-evidence
snowtrail=${SNOWTRAIL:-bin/snowtrail}
started=$(date -u +%FT%TZ)
account=$(aws sts get-caller-identity --query Account --output text)
arn=arn:aws:cloudtrail:$AWS_DEFAULT_REGION:$account:trail/$name

# A bucket with the policy that CloudTrail asks for.
aws s3api create-bucket --bucket "$bucket" > /dev/null
aws s3api put-bucket-policy --bucket "$bucket" --policy "{
  \"Version\": \"2012-10-17\",
  \"Statement\": [
    {
      \"Effect\": \"Allow\",
      \"Principal\": { \"Service\": \"cloudtrail.amazonaws.com\" },
      \"Action\": \"s3:GetBucketAcl\",
      \"Resource\": \"arn:aws:s3:::$bucket\",
      \"Condition\": { \"StringEquals\": { \"aws:SourceArn\": \"$arn\" } }
    },
    {
      \"Effect\": \"Allow\",
      \"Principal\": { \"Service\": \"cloudtrail.amazonaws.com\" },
      \"Action\": \"s3:PutObject\",
      \"Resource\": \"arn:aws:s3:::$bucket/AWSLogs/$account/*\",
      \"Condition\": { \"StringEquals\": { \"s3:x-amz-acl\": \"bucket-owner-full-control\", \"aws:SourceArn\": \"$arn\" } }
    }
  ]
}"
aws cloudtrail create-trail --name "$name" --s3-bucket-name "$bucket" --is-multi-region-trail --enable-log-file-validation > /dev/null
aws cloudtrail start-logging --name "$name"

# An event: any in CloudTrail's format will do.
id=$(cat /proc/sys/kernel/random/uuid 2> /dev/null || uuidgen)
cat << JSON | "$snowtrail" record - --quiet > /dev/null
{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEALICE","arn":"arn:aws:iam::$account:user/alice","accountId":"$account","userName":"alice"},"eventTime":"$(date -u +%FT%TZ)","eventSource":"s3.amazonaws.com","eventName":"DeleteBucket","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.7","userAgent":"example","requestParameters":{"bucketName":"reports"},"responseElements":null,"readOnly":false,"eventID":"$id","eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"$account","eventCategory":"Management"}
JSON

# It is found within a second.
found=
until [ "$found" = DeleteBucket ]; do
  found=$(aws cloudtrail lookup-events --lookup-attributes "AttributeKey=EventId,AttributeValue=$id" --query 'Events[0].EventName' --output text)
done
echo "found $found by $(aws cloudtrail lookup-events --lookup-attributes "AttributeKey=EventId,AttributeValue=$id" --query 'Events[0].Username' --output text)"

# Two digests: the first begins the chain, the second names what was delivered since.
digest=None
digests=0
until [ "$digests" = 2 ]; do
  sleep 1
  newest=$(aws cloudtrail get-trail-status --name "$name" --query LatestDigestDeliveryTime --output text)
  if [ "$newest" != "$digest" ]; then digests=$((digests + 1)) digest=$newest; fi
done

# The AWS CLI checks the chain; our verifier checks what the chain cannot show, too, and names every file.
aws cloudtrail validate-logs --trail-arn "$arn" --start-time "$started"
"$snowtrail" verify "$arn"
