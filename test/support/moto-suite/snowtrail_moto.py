"""A plugin of pytest that runs moto's tests in server mode against Snowtrail.

Each test gets a fresh server on a fresh data directory, at the one address that moto reads when it is imported. The service looks
at what a trail delivers to and moto does not, so each bucket and topic that a test makes gets the policy that the service documents,
and the account has an organization in which CloudTrail is trusted.

SNOWTRAIL_START is the command that starts a server, as a JSON list; `--data-dir` and `--listen` are added here. The file that
SNOWTRAIL_OUTCOMES names gets a line of JSON for each test: its name, and why it failed, if it did.
"""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.parse

import botocore.session
import pytest

SERVICE = {"Service": "cloudtrail.amazonaws.com"}


@pytest.fixture(autouse=True)
def snowtrail():
    address = urllib.parse.urlparse(os.environ["TEST_SERVER_MODE_ENDPOINT"]).netloc
    folder = tempfile.mkdtemp(prefix="snowtrail-moto-")
    command = [*json.loads(os.environ["SNOWTRAIL_START"]), "--data-dir", folder, "--listen", address]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if line.startswith("listening on "):
                break
        else:
            raise RuntimeError("the server did not start: " + "".join(said))
        make_organization()
        yield
    finally:
        server.kill()
        server.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def pytest_runtest_logreport(report):
    if report.when != "call" and report.passed:
        return
    failure = None if report.passed else getattr(report.longrepr, "reprcrash", report.longrepr)
    outcome = {"test": report.nodeid.split("/")[-1], "failure": failure and getattr(failure, "message", str(failure))}
    with open(os.environ["SNOWTRAIL_OUTCOMES"], "a", encoding="utf-8") as outcomes:
        outcomes.write(json.dumps(outcome) + "\n")


def make_organization():
    key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    endpoint = os.environ["TEST_SERVER_MODE_ENDPOINT"]
    client = botocore.session.Session().create_client("organizations", region_name="us-east-1", endpoint_url=endpoint, **key)
    client.create_organization(FeatureSet="ALL")
    client.enable_aws_service_access(ServicePrincipal=SERVICE["Service"])


def allow_cloudtrail_in_bucket(client, bucket):
    statements = [
        {"Effect": "Allow", "Principal": SERVICE, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}"},
        {
            "Effect": "Allow",
            "Principal": SERVICE,
            "Action": "s3:PutObject",
            # With any prefix and organization, since the bucket is made before its trail.
            "Resource": [f"arn:aws:s3:::{bucket}/AWSLogs/*", f"arn:aws:s3:::{bucket}/*/AWSLogs/*"],
            "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
        },
    ]
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def allow_cloudtrail_in_topic(client, topic):
    statement = {"Effect": "Allow", "Principal": SERVICE, "Action": "SNS:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def hook(client):
    def keep_name(params, context, **_):
        context["bucket"] = params["Bucket"]

    def bucket_made(http_response, context, **_):
        if http_response.status_code == 200:
            allow_cloudtrail_in_bucket(client, context["bucket"])

    def topic_made(http_response, parsed, **_):
        if http_response.status_code == 200:
            allow_cloudtrail_in_topic(client, parsed["TopicArn"])

    client.meta.events.register("before-parameter-build.s3.CreateBucket", keep_name)
    client.meta.events.register("after-call.s3.CreateBucket", bucket_made)
    client.meta.events.register("after-call.sns.CreateTopic", topic_made)
    return client


make_client = botocore.session.Session.create_client
botocore.session.Session.create_client = lambda *args, **kwargs: hook(make_client(*args, **kwargs))
