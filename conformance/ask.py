"""Calls an AWS API. Reads calls as JSON from stdin, [[service, operation, parameters], ...], and writes the responses as JSON
in the same order. The response of a failed call is {"Error": code}. The parameter "NOW" is the time in milliseconds."""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

clients = {}
answers = []
for service, operation, parameters in json.loads(sys.stdin.read().replace('"NOW"', str(int(time.time() * 1000)))):
    if service not in clients:
        clients[service] = boto3.client(service, config=Config(s3={"addressing_style": "path"}))
    try:
        answer = getattr(clients[service], operation)(**parameters)
        answer.pop("ResponseMetadata", None)
    except ClientError as e:
        answer = {"Error": e.response["Error"]["Code"]}
    answers.append(answer)
json.dump(answers, sys.stdout, default=str)
