"""
Prints what one user did, newest first, with boto3.

Run: python3 examples/who-did-what.py USER [HOURS, default 24], after `eval "$(bin/snowtrail env)"`.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import boto3

user = sys.argv[1]
hours = float(sys.argv[2]) if len(sys.argv) > 2 else 24
now = datetime.now(timezone.utc)

# The endpoint, the key and the Region come from the environment, as for AWS.
pages = boto3.client("cloudtrail").get_paginator("lookup_events").paginate(
    LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": user}],
    StartTime=now - timedelta(hours=hours),
    EndTime=now,
)
count = 0
for page in pages:
    for event in page["Events"]:
        count += 1
        record = json.loads(event["CloudTrailEvent"])
        outcome = record.get("errorCode", "ok")
        print(event["EventTime"].astimezone(timezone.utc).isoformat(), event["EventSource"], event["EventName"], outcome)
print(f"{count} events of {user} in {hours:g} hours")
