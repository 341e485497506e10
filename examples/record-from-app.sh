#!/usr/bin/env bash
# Events of an application of one's own, sent with curl: a line of JSON each, answered by a line of JSON each.
#
# Run: examples/record-from-app.sh, after `eval "$(bin/snowtrail env)"`. A line is answered once it would survive a power cut. Send
# it again when no answer comes: the same event is accepted once, by its `eventID`.
set -euo pipefail

account=$(printf '' | curl --silent --fail --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
  --aws-sigv4 "aws:amz:$AWS_REGION:sts" --data 'Action=GetCallerIdentity&Version=2011-06-15' "$AWS_ENDPOINT_URL/" |
  sed -n 's:.*<Account>\(.*\)</Account>.*:\1:p')

# $1 who, $2 what, $3 on what
event() {
  printf '{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"%s","arn":"arn:aws:iam::%s:user/%s","accountId":"%s","userName":"%s"},' \
    "$1" "$account" "$1" "$account" "$1"
  printf '"eventTime":"%s","eventSource":"shop.example.com","eventName":"%s","awsRegion":"%s","sourceIPAddress":"192.0.2.8","userAgent":"shop/1.0",' \
    "$(date -u +%FT%TZ)" "$2" "$AWS_REGION"
  printf '"requestParameters":{"order":"%s"},"responseElements":null,"readOnly":false,"eventID":"%s","eventType":"AwsApiCall",' \
    "$3" "$(cat /proc/sys/kernel/random/uuid 2> /dev/null || uuidgen)"
  printf '"managementEvent":true,"recipientAccountId":"%s","eventCategory":"Management"}\n' "$account"
}

{
  event erin CreateOrder 1001
  event erin RefundOrder 1001
  event frank CancelOrder 1002
} | curl --silent --show-error --fail-with-body --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
  --aws-sigv4 "aws:amz:$AWS_REGION:snowtrail" --header 'content-type: application/x-ndjson' \
  --data-binary @- "$AWS_ENDPOINT_URL/v1/events"
