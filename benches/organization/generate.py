#!/usr/bin/env python3
"""Emit one synthetic organization twice: as neutral JSON and as a Terraform configuration.

    generate.py --size medium --seed 7 --out DIR      (or --ous N --accounts M --policies P --attachments K)

DIR/org.json     what the organization is; any other tool's manifests can be generated from it alone
DIR/main.tf.json the same for terraform, one resource block an object (aws provider 5.x), root id as -var root_id=r-...

Same arguments, same bytes. org.json:
  {"generator", "seed", "sizes",
   "policyTypes": [..],                       types to enable on the root
   "ous":         [{"key", "name", "parent": KEY|null, "depth": 1..4, "tags": {}}],   parents first
   "accounts":    [{"key", "name", "email", "parent": KEY, "tags": {}}],
   "policies":    [{"key", "name", "type", "description", "content": OBJECT, "tags": {}}],
   "attachments": [{"policy": KEY, "target": {"kind": "root"|"ou"|"account", "key": KEY|null}}]}
Keys are unique over all kinds, match [a-z0-9-]+ and are good Kubernetes object names. OU names repeat under
different parents on purpose (AWS asks uniqueness per parent only), except with --unique-ou-names.
Attachments respect AWS's slots: 9 SCP (FullAWSAccess takes the tenth), 4 RCP, 10 TAG_POLICY a target.
"""
import argparse
import json
import pathlib
import random

SIZES = {
    "small": (10, 20, 8, 16),
    "medium": (100, 500, 50, 120),
    "large": (500, 3000, 150, 400),
}
SLOTS = {"SERVICE_CONTROL_POLICY": 9, "RESOURCE_CONTROL_POLICY": 4, "TAG_POLICY": 10}
MAX_DEPTH = 4
OU_NAMES = ["Data Science", "Staging", "Production", "Sandbox", "Research", "Platform", "Security", "Workloads",
            "Batch", "Realtime", "Regulated", "Shared"]
TEAMS = ["vision", "speech", "ranking", "fraud", "search", "ads", "maps", "core"]
ENVS = ["data-science", "staging", "production"]
INSTANCES = ["ml.p4d.24xlarge", "ml.p5.48xlarge", "ml.g5.48xlarge", "ml.trn1.32xlarge", "ml.p3.16xlarge"]
ACTIONS = ["CreateNotebookInstance", "CreateEndpointConfig", "CreateTrainingJob", "CreateProcessingJob",
           "CreateTransformJob", "CreateHyperParameterTuningJob", "CreateDomain", "CreateUserProfile", "CreateModel"]


def scp(rng, n):
    statements = [
        {"Sid": f"DenyBigInstances{n}", "Effect": "Deny",
         "Action": sorted("sagemaker:" + a for a in rng.sample(ACTIONS[:6], 3)), "Resource": "*",
         "Condition": {"ForAnyValue:StringLike": {"sagemaker:InstanceTypes": sorted(rng.sample(INSTANCES, 3))}}},
        {"Sid": f"DenyUntagged{n}", "Effect": "Deny",
         "Action": sorted("sagemaker:" + a for a in rng.sample(ACTIONS, 4)), "Resource": "*",
         "Condition": {"Null": {"aws:RequestTag/cost-center": "true"}}},
        {"Sid": f"DenyRegions{n}", "Effect": "Deny", "NotAction": ["iam:*", "organizations:*", "sts:*", "support:*"],
         "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]},
                                        "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Bylaw*"}}},
        {"Sid": f"DenyLeave{n}", "Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"},
    ]
    return {"Version": "2012-10-17", "Statement": statements[: rng.randint(1, 4)]}


def rcp(rng, n):
    return {"Version": "2012-10-17", "Statement": [
        {"Sid": f"OrgOnly{n}", "Effect": "Deny", "Principal": "*", "Action": sorted(rng.sample(["s3:*", "sqs:*", "kms:*"], 2)),
         "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example1234"},
                                        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}]}


def tag_policy(rng, n):
    key = f"cost-center-{n}"
    return {"tags": {key: {"tag_key": {"@@assign": key},
                           "tag_value": {"@@assign": sorted(rng.sample(["100", "200", "300*", "400"], 2))},
                           "enforced_for": {"@@assign": ["sagemaker:training-job", "sagemaker:model-package-group"]}}}}


CONTENT = {"SERVICE_CONTROL_POLICY": scp, "RESOURCE_CONTROL_POLICY": rcp, "TAG_POLICY": tag_policy}


def organization(ous, accounts, policies, attachments, seed, unique_names):
    rng = random.Random(seed)
    out = {"generator": "generate.py", "seed": seed,
           "sizes": {"ous": ous, "accounts": accounts, "policies": policies, "attachments": attachments},
           "policyTypes": sorted(SLOTS), "ous": [], "accounts": [], "policies": [], "attachments": []}
    used = {}  # parent key -> names taken under it
    tops = max(1, min(8, ous // 10 or ous))
    for i in range(ous):
        parent = None
        if i >= tops:
            parent = rng.choice([o for o in out["ous"] if o["depth"] < MAX_DEPTH])
        pkey = parent["key"] if parent else None
        name = rng.choice(OU_NAMES)
        if unique_names or name in used.setdefault(pkey, set()):
            name = f"{name} {i}"
        used.setdefault(pkey, set()).add(name)
        out["ous"].append({"key": f"ou-{i:04d}", "name": name, "parent": pkey,
                           "depth": parent["depth"] + 1 if parent else 1,
                           "tags": {"owner": rng.choice(TEAMS), "stage": rng.choice(ENVS)}})
    for i in range(accounts):
        team, env = rng.choice(TEAMS), rng.choice(ENVS)
        out["accounts"].append({"key": f"acct-{i:05d}", "name": f"{team}-{env}-{i:05d}",
                                "email": f"aws+{i:05d}@example.com", "parent": rng.choice(out["ous"])["key"],
                                "tags": {"owner": team, "stage": env, "cost-center": str(rng.randint(100, 499))}})
    for i in range(policies):
        kind = "SERVICE_CONTROL_POLICY" if i % 10 < 7 else "TAG_POLICY" if i % 10 < 9 else "RESOURCE_CONTROL_POLICY"
        out["policies"].append({"key": f"pol-{i:04d}", "name": f"bench-{i:04d}", "type": kind,
                                "description": f"bench policy {i}", "content": CONTENT[kind](rng, i),
                                "tags": {"owner": rng.choice(TEAMS), "tier": rng.choice(["base", "extra"])}})
    slots, seen, tries = {}, set(), 0
    while len(out["attachments"]) < attachments:
        tries += 1
        if tries > 100 * attachments + 1000:
            raise SystemExit("attachments do not fit the slots; ask for fewer")
        policy = out["policies"][len(out["attachments"]) % policies]
        dice = rng.random()
        kind = "root" if dice < 0.03 else "ou" if dice < 0.65 else "account"
        key = None if kind == "root" else rng.choice(out["ous" if kind == "ou" else "accounts"])["key"]
        if (policy["key"], key) in seen or slots.get((policy["type"], key), 0) >= SLOTS[policy["type"]]:
            continue
        seen.add((policy["key"], key))
        slots[policy["type"], key] = slots.get((policy["type"], key), 0) + 1
        out["attachments"].append({"policy": policy["key"], "target": {"kind": kind, "key": key}})
    return out


def terraform(org):
    name = lambda key: key.replace("-", "_")
    root = "${var.root_id}"
    ou_id = lambda key: f"${{aws_organizations_organizational_unit.{name(key)}.id}}" if key else root
    target = {"root": lambda _: root, "ou": ou_id,
              "account": lambda key: f"${{aws_organizations_account.{name(key)}.id}}"}
    escape = lambda text: text.replace("${", "$${").replace("%{", "%%{")
    resource = {
        "aws_organizations_organizational_unit": {
            name(o["key"]): {"name": o["name"], "parent_id": ou_id(o["parent"]), "tags": o["tags"]} for o in org["ous"]},
        "aws_organizations_account": {
            name(a["key"]): {"name": a["name"], "email": a["email"], "parent_id": ou_id(a["parent"]), "tags": a["tags"]}
            for a in org["accounts"]},
        "aws_organizations_policy": {
            name(p["key"]): {"name": p["name"], "type": p["type"], "description": p["description"],
                             "content": escape(json.dumps(p["content"], separators=(",", ":"))), "tags": p["tags"]}
            for p in org["policies"]},
        "aws_organizations_policy_attachment": {
            f"at_{i:05d}": {"policy_id": f"${{aws_organizations_policy.{name(t['policy'])}.id}}",
                            "target_id": target[t["target"]["kind"]](t["target"]["key"])}
            for i, t in enumerate(org["attachments"])},
    }
    return {
        "terraform": {"required_version": ">= 1.5",
                      "required_providers": {"aws": {"source": "hashicorp/aws", "version": "5.100.0"}}},
        "provider": {"aws": {"region": "us-east-1", "skip_credentials_validation": True, "skip_metadata_api_check": True,
                             "skip_requesting_account_id": True, "skip_region_validation": True}},
        "variable": {"root_id": {"type": "string"}},
        "resource": {kind: blocks for kind, blocks in resource.items() if blocks},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES)
    for flag in ("ous", "accounts", "policies", "attachments"):
        parser.add_argument("--" + flag, type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--unique-ou-names", action="store_true",
                        help="no OU name twice in the organization (moto's UpdateOrganizationalUnit needs it)")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    base = SIZES[args.size or "small"]
    numbers = [given if given is not None else default
               for given, default in zip((args.ous, args.accounts, args.policies, args.attachments), base)]
    org = organization(*numbers, args.seed, args.unique_ou_names)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "org.json").write_text(json.dumps(org, indent=1) + "\n")
    (args.out / "main.tf.json").write_text(json.dumps(terraform(org), indent=1) + "\n")
    print(f"{args.out}: {numbers[0]} OUs, {numbers[1]} accounts, {numbers[2]} policies, {numbers[3]} attachments, seed {args.seed}")


if __name__ == "__main__":
    main()
