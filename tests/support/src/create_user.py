"""Creates an IAM user with one inline policy; prints its access key id and secret on two lines."""

import sys

import boto3

name, policy = sys.argv[1:]
iam = boto3.client("iam")
iam.create_user(UserName=name)
iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy)
key = iam.create_access_key(UserName=name)["AccessKey"]
print(key["AccessKeyId"], key["SecretAccessKey"], sep="\n")
