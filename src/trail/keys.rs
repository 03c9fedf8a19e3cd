//! Condition keys as a record tells them: with their values, as surely absent, or not at all.
//!
//! Sources: IAM user guide, "AWS global condition context keys" (when a request carries a key); CloudTrail user guide,
//! "CloudTrail userIdentity element", "Enrich CloudTrail events". What an enriched event tells goes before what is
//! gathered here. A key that AWS's reference does not know for an action is absent from its requests.

use core::net::IpAddr;

use memchr::{memchr, memchr_iter};

use super::reader::Reader;
use super::request::{Kind, Told, Values, Who};
use super::walk;
use crate::policy::services::{self, Action};

type Read = fn(&Who<'_, '_>, &mut Values) -> Told;

/// Keys of every service, in lower case.
const GLOBAL: &[(&str, Read)] = &[
    ("aws:calledvia", |who, _| if who.through().is_none() { Told::Absent } else { Told::Unknown }),
    ("aws:calledviafirst", |who, _| if who.through().is_none() { Told::Absent } else { Told::Unknown }),
    ("aws:calledvialast", |who, _| if who.through().is_none() { Told::Absent } else { Told::Unknown }),
    ("aws:currenttime", |who, out| out.one(&who.record.event_time)),
    ("aws:epochtime", |who, out| match super::record::seconds(&who.record.event_time) {
        Some(seconds) => out.one(&seconds.to_string()),
        None => Told::Unknown,
    }),
    ("aws:federatedprovider", |who, out| {
        let provider = &who.session().web_id_federation_data.federated_provider;
        match who.kind {
            _ if !provider.is_empty() => out.one(provider),
            Kind::Root | Kind::User => Told::Absent,
            _ => Told::Unknown,
        }
    }),
    ("aws:multifactorauthage", |who, _| match &*who.session().attributes.mfa_authenticated {
        "true" => Told::Unknown,
        _ => Told::Absent,
    }),
    ("aws:multifactorauthpresent", |who, out| {
        let mfa = &who.session().attributes.mfa_authenticated;
        // A user with an access key has no session, and such requests do not carry the key.
        if mfa.is_empty() { if who.kind == Kind::User { Told::Absent } else { Told::Unknown } } else { out.one(mfa) }
    }),
    ("aws:principalaccount", |who, out| out.one(who.account)),
    ("aws:principalarn", |who, out| who.arn.map_or(Told::Unknown, |arn| out.one(arn))),
    ("aws:principalisawsservice", |_, out| out.one("false")),
    ("aws:principalservicename", |_, _| Told::Absent),
    ("aws:principalservicenameslist", |_, _| Told::Absent),
    ("aws:principaltype", |who, out| match who.kind {
        Kind::Root => out.one("Account"),
        Kind::User => out.one("User"),
        Kind::Role => out.one("AssumedRole"),
        Kind::Federated => out.one("FederatedUser"),
        Kind::Other => Told::Unknown,
    }),
    ("aws:requestedregion", |who, out| out.one(&who.record.aws_region)),
    ("aws:resourceaccount", |who, out| who.resource_account().map_or(Told::Unknown, |account| out.one(account))),
    ("aws:securetransport", |who, out| {
        if who.record.tls_details.tls_version.is_empty() { Told::Unknown } else { out.one("true") }
    }),
    ("aws:sourceaccount", |who, _| if who.through().is_none() { Told::Absent } else { Told::Unknown }),
    ("aws:sourcearn", |who, _| if who.through().is_none() { Told::Absent } else { Told::Unknown }),
    ("aws:sourceidentity", |who, out| {
        let source = &who.session().source_identity;
        if source.is_empty() { Told::Absent } else { out.one(source) }
    }),
    ("aws:sourceip", |who, out| {
        let address = &who.record.source_ip_address;
        let is_address = address.parse::<IpAddr>().is_ok();
        match (is_address && who.through().is_none(), who.record.vpc_endpoint_id.is_empty()) {
            (true, true) => out.one(address),
            (true, false) => Told::Absent,
            (false, _) => Told::Unknown,
        }
    }),
    ("aws:sourceorgid", |who, _| if who.through().is_none() { Told::Absent } else { Told::Unknown }),
    ("aws:sourceorgpaths", |who, _| if who.through().is_none() { Told::Absent } else { Told::Unknown }),
    ("aws:sourcevpc", |who, _| if who.is_from_outside() { Told::Absent } else { Told::Unknown }),
    ("aws:sourcevpce", |who, out| {
        let endpoint = &who.record.vpc_endpoint_id;
        match endpoint.is_empty() {
            false => out.one(endpoint),
            true if who.is_from_outside() => Told::Absent,
            true => Told::Unknown,
        }
    }),
    ("aws:tokenissuetime", |who, out| {
        let made = &who.session().attributes.creation_date;
        if made.is_empty() { if who.kind == Kind::User { Told::Absent } else { Told::Unknown } } else { out.one(made) }
    }),
    ("aws:useragent", |who, out| {
        // CloudTrail cuts long ones, and writes a service where one called for somebody.
        let agent = &who.record.user_agent;
        let whole = !agent.is_empty() && agent.len() < 1_000 && who.through().is_none() && !agent.ends_with("...");
        if whole { out.one(agent) } else { Told::Unknown }
    }),
    ("aws:userid", |who, out| out.one(&who.record.user_identity.principal_id)),
    ("aws:username", |who, out| match who.kind {
        Kind::User => out.one(&who.record.user_identity.user_name),
        Kind::Root | Kind::Role => Told::Absent,
        _ => Told::Unknown,
    }),
    ("aws:viaawsservice", |who, out| match who.through() {
        None => out.one("false"),
        Some(service) if service.ends_with(".amazonaws.com") => out.one("true"),
        Some(_) => Told::Unknown,
    }),
    ("aws:vpcsourceip", |who, out| match who.record.vpc_endpoint_id.is_empty() {
        false if who.record.source_ip_address.parse::<IpAddr>().is_ok() => out.one(&who.record.source_ip_address),
        true if who.is_from_outside() => Told::Absent,
        _ => Told::Unknown,
    }),
    ("kms:viaservice", |who, out| match who.through().and_then(|service| service.strip_suffix(".amazonaws.com")) {
        // KMS names the service with its region.
        Some(service) if !who.record.aws_region.is_empty() && !service.contains('.') => {
            out.one(&format!("{service}.{}.amazonaws.com", &*who.record.aws_region))
        }
        Some(_) => Told::Unknown,
        None if who.through().is_some() => Told::Unknown,
        None => Told::Absent,
    }),
];

/// A key that a request parameter holds.
struct Parameter {
    /// Actions of one service: their names, a `*` at the end for any end.
    service: &'static str,
    names: &'static [&'static str],
    key: &'static str,
    path: &'static str,
    /// Whether a call without the parameter is one without the key.
    absent: bool,
}

const fn holds(
    service: &'static str,
    names: &'static [&'static str],
    key: &'static str,
    path: &'static str,
    absent: bool,
) -> Parameter {
    Parameter { service, names, key, path, absent }
}

const MONITORING: &[&str] = &[
    "CreateDataQualityJobDefinition",
    "CreateModelBiasJobDefinition",
    "CreateModelExplainabilityJobDefinition",
    "CreateModelQualityJobDefinition",
];

/// Keys that request parameters hold surely. Several rows of one key are added up.
const PARAMETERS: &[Parameter] = &[
    holds("autoscaling", &["CreateLaunchConfiguration"], "autoscaling:InstanceType", "instanceType", false),
    holds("cloudformation", &["CreateStack", "UpdateStack"], "cloudformation:TemplateUrl", "templateURL", true),
    holds("cloudformation", &["CreateStack", "UpdateStack"], "cloudformation:RoleArn", "roleARN", true),
    // What a launch template or the image would say is not in the call.
    holds("ec2", &["RunInstances"], "ec2:InstanceType", "instanceType", false),
    holds("ec2", &["CreateVolume"], "ec2:VolumeType", "volumeType", false),
    holds("ec2", &["CreateVolume"], "ec2:VolumeSize", "size", false),
    holds(
        "iam",
        &[
            "AttachRolePolicy",
            "AttachUserPolicy",
            "AttachGroupPolicy",
            "DetachRolePolicy",
            "DetachUserPolicy",
            "DetachGroupPolicy",
        ],
        "iam:PolicyARN",
        "policyArn",
        false,
    ),
    holds(
        "iam",
        &["CreateRole", "CreateUser", "PutRolePermissionsBoundary", "PutUserPermissionsBoundary"],
        "iam:PermissionsBoundary",
        "permissionsBoundary",
        true,
    ),
    holds("iam", &["CreateServiceLinkedRole"], "iam:AWSServiceName", "aWSServiceName", false),
    holds("lambda", &["AddPermission"], "lambda:Principal", "principal", false),
    holds(
        "lambda",
        &["CreateFunctionUrlConfig", "UpdateFunctionUrlConfig"],
        "lambda:FunctionUrlAuthType",
        "authType",
        false,
    ),
    holds("lambda", &["CreateFunction"], "lambda:VpcIds", "vpcConfig.vpcId", false),
    holds("lambda", &["CreateFunction"], "lambda:SubnetIds", "vpcConfig.subnetIds", true),
    holds("lambda", &["CreateFunction"], "lambda:SecurityGroupIds", "vpcConfig.securityGroupIds", true),
    holds("lambda", &["CreateFunction"], "lambda:Layer", "layers", true),
    holds(
        "organizations",
        &["CreatePolicy", "EnablePolicyType", "DisablePolicyType", "ListPolicies"],
        "organizations:PolicyType",
        "policyType",
        false,
    ),
    holds("organizations", &["CreatePolicy"], "organizations:PolicyType", "type", false),
    holds(
        "organizations",
        &["EnableAWSServiceAccess", "DisableAWSServiceAccess", "RegisterDelegatedAdministrator"],
        "organizations:ServicePrincipal",
        "servicePrincipal",
        false,
    ),
    holds("rds", &["CreateDBInstance", "CreateDBCluster"], "rds:DatabaseEngine", "engine", false),
    holds("rds", &["CreateDBInstance"], "rds:DatabaseClass", "dBInstanceClass", false),
    holds("rds", &["CreateDBInstance"], "rds:StorageEncrypted", "storageEncrypted", false),
    holds("rds", &["CreateDBInstance"], "rds:MultiAz", "multiAZ", false),
    holds("s3", &["ListBucket", "ListBucketVersions"], "s3:prefix", "prefix", true),
    holds("s3", &["ListBucket", "ListBucketVersions"], "s3:delimiter", "delimiter", true),
    holds("s3", &["ListBucket", "ListBucketVersions"], "s3:max-keys", "max-keys", true),
    holds("s3", &["PutObject", "CreateBucket", "PutObjectAcl", "PutBucketAcl"], "s3:x-amz-acl", "x-amz-acl", true),
    holds("s3", &["PutObject"], "s3:x-amz-server-side-encryption", "x-amz-server-side-encryption", true),
    holds(
        "s3",
        &["PutObject"],
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-aws-kms-key-id",
        true,
    ),
    holds("s3", &["PutObject"], "s3:x-amz-storage-class", "x-amz-storage-class", true),
    holds("s3", &["CreateBucket"], "s3:LocationConstraint", "CreateBucketConfiguration.LocationConstraint", true),
    holds("sagemaker", &["CreateEndpointConfig"], "sagemaker:InstanceTypes", "productionVariants.instanceType", true),
    holds(
        "sagemaker",
        &["CreateEndpointConfig"],
        "sagemaker:InstanceTypes",
        "shadowProductionVariants.instanceType",
        true,
    ),
    holds("sagemaker", &["CreateEndpointConfig"], "sagemaker:VolumeKmsKeyArn", "kmsKeyId", true),
    holds(
        "sagemaker",
        &["CreateEndpointConfig"],
        "sagemaker:ServerlessMaxConcurrency",
        "productionVariants.serverlessConfig.maxConcurrency",
        true,
    ),
    holds(
        "sagemaker",
        &["CreateEndpointConfig"],
        "sagemaker:ServerlessMemorySize",
        "productionVariants.serverlessConfig.memorySizeInMB",
        true,
    ),
    holds(
        "sagemaker",
        &["CreateNotebookInstance", "UpdateNotebookInstance"],
        "sagemaker:InstanceTypes",
        "instanceType",
        true,
    ),
    holds(
        "sagemaker",
        &["CreateNotebookInstance", "UpdateNotebookInstance"],
        "sagemaker:RootAccess",
        "rootAccess",
        true,
    ),
    holds("sagemaker", &["CreateNotebookInstance"], "sagemaker:DirectInternetAccess", "directInternetAccess", true),
    holds("sagemaker", &["CreateNotebookInstance"], "sagemaker:VolumeKmsKeyArn", "kmsKeyId", true),
    holds("sagemaker", &["CreateNotebookInstance"], "sagemaker:VpcSubnets", "subnetId", true),
    holds("sagemaker", &["CreateNotebookInstance"], "sagemaker:VpcSecurityGroupIds", "securityGroupIds", true),
    holds("sagemaker", &["CreateTrainingJob"], "sagemaker:InstanceTypes", "resourceConfig.instanceType", true),
    holds(
        "sagemaker",
        &["CreateTrainingJob"],
        "sagemaker:InstanceTypes",
        "resourceConfig.instanceGroups.instanceType",
        true,
    ),
    holds("sagemaker", &["CreateTrainingJob"], "sagemaker:VolumeKmsKeyArn", "resourceConfig.volumeKmsKeyId", true),
    holds(
        "sagemaker",
        &["CreateProcessingJob"],
        "sagemaker:InstanceTypes",
        "processingResources.clusterConfig.instanceType",
        true,
    ),
    holds(
        "sagemaker",
        &["CreateProcessingJob"],
        "sagemaker:VolumeKmsKeyArn",
        "processingResources.clusterConfig.volumeKmsKeyId",
        true,
    ),
    holds("sagemaker", &["CreateTransformJob"], "sagemaker:InstanceTypes", "transformResources.instanceType", true),
    holds("sagemaker", &["CreateTransformJob"], "sagemaker:VolumeKmsKeyArn", "transformResources.volumeKmsKeyId", true),
    holds("sagemaker", &["CreateTransformJob"], "sagemaker:OutputKmsKeyArn", "transformOutput.kmsKeyId", true),
    holds("sagemaker", &["CreateTrainingJob"], "sagemaker:OutputKmsKeyArn", "outputDataConfig.kmsKeyId", true),
    holds("sagemaker", &["CreateTrainingJob"], "sagemaker:NetworkIsolation", "enableNetworkIsolation", false),
    holds(
        "sagemaker",
        &["CreateTrainingJob"],
        "sagemaker:InterContainerTrafficEncryption",
        "enableInterContainerTrafficEncryption",
        false,
    ),
    holds(
        "sagemaker",
        &["CreateTrainingJob"],
        "sagemaker:MaxRuntimeInSeconds",
        "stoppingCondition.maxRuntimeInSeconds",
        true,
    ),
    holds("sagemaker", &["CreateTrainingJob"], "sagemaker:VpcSubnets", "vpcConfig.subnets", true),
    holds("sagemaker", &["CreateTrainingJob"], "sagemaker:VpcSecurityGroupIds", "vpcConfig.securityGroupIds", true),
    holds("sagemaker", &["CreateProcessingJob"], "sagemaker:VpcSubnets", "networkConfig.vpcConfig.subnets", true),
    holds(
        "sagemaker",
        &["CreateProcessingJob"],
        "sagemaker:VpcSecurityGroupIds",
        "networkConfig.vpcConfig.securityGroupIds",
        true,
    ),
    holds("sagemaker", MONITORING, "sagemaker:InstanceTypes", "jobResources.clusterConfig.instanceType", true),
    holds("sagemaker", MONITORING, "sagemaker:VolumeKmsKeyArn", "jobResources.clusterConfig.volumeKmsKeyId", true),
    holds("sagemaker", &["CreateModel"], "sagemaker:NetworkIsolation", "enableNetworkIsolation", false),
    holds("sagemaker", &["CreateModel"], "sagemaker:VpcSubnets", "vpcConfig.subnets", true),
    holds("sagemaker", &["CreateModel"], "sagemaker:VpcSecurityGroupIds", "vpcConfig.securityGroupIds", true),
    holds("sagemaker", &["CreateDomain"], "sagemaker:VpcSubnets", "subnetIds", true),
    holds(
        "sagemaker",
        &["CreateDomain", "UpdateDomain"],
        "sagemaker:AppNetworkAccessType",
        "appNetworkAccessType",
        false,
    ),
    holds("sagemaker", &["CreateDomain"], "sagemaker:AuthMode", "authMode", false),
    holds(
        "sagemaker",
        &["CreateModelPackage", "UpdateModelPackage"],
        "sagemaker:ModelApprovalStatus",
        "modelApprovalStatus",
        true,
    ),
    holds(
        "sts",
        &["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"],
        "sts:RoleSessionName",
        "roleSessionName",
        false,
    ),
    holds("sts", &["AssumeRole"], "sts:ExternalId", "externalId", true),
];

/// The parameters in which requests hold the tags that they set.
const TAGS: &[&str] = &["tags", "tagList", "tagSet", "tagSpecificationSet", "tagSpecifications", "tagging"];
/// How all of them begin.
const TAG: &[u8] = b"tag";
/// What lists of tags are called that stand in objects.
const LISTS: &[&str] = &["items", "tags", "tag", "tagSet"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Request,
    Resource,
    Principal,
}

const FAMILIES: &[(&str, Family)] = &[
    ("aws:requesttag/", Family::Request),
    ("aws:resourcetag/", Family::Resource),
    ("aws:principaltag/", Family::Principal),
];

enum How {
    Field(Read),
    Tag(Family, Box<str>),
    TagKeys,
    Parameters(Vec<&'static Parameter>),
    Absent,
    Unknown,
}

/// A key that a judge looks at, with how it is read from the records of one action.
pub struct Key {
    /// As the judge spelled it.
    pub name: Box<str>,
    how: How,
}

impl Key {
    /// For records of that action.
    #[must_use]
    pub fn new(name: &str, action: Action) -> Self {
        Self { name: name.into(), how: how(name, action) }
    }

    /// Reads it. Values are added to `out`.
    pub fn tell(&self, who: &Who<'_, '_>, out: &mut Values) -> Told {
        if let Some(context) = who.record.event_context
            && let Some(told) = enriched(context, self, out)
        {
            return told;
        }
        match &self.how {
            How::Field(read) => read(who, out),
            How::Absent => Told::Absent,
            How::Unknown | How::Tag(Family::Resource | Family::Principal, _) => Told::Unknown,
            How::Parameters(rows) => parameters(who, rows, out),
            How::Tag(Family::Request, key) => tags(who, out, |tag, value, out| {
                if tag.eq_ignore_ascii_case(key) {
                    out.push(value);
                }
            }),
            How::TagKeys => tags(who, out, |tag, _, out| out.push(tag)),
        }
    }
}

fn how(name: &str, action: Action) -> How {
    let lower = name.to_ascii_lowercase();
    let whole = action.service.is_whole();
    let of_service = !lower.starts_with("aws:") || lower == "aws:tagkeys" || lower.starts_with("aws:requesttag/");
    if lower != "kms:viaservice" && of_service && whole && !action.carries(name) && services::key(name).is_some() {
        return How::Absent;
    }
    if let Some((_, read)) = GLOBAL.iter().find(|(known, _)| *known == lower) {
        return How::Field(*read);
    }
    if lower == "aws:tagkeys" {
        return How::TagKeys;
    }
    for (prefix, family) in FAMILIES {
        if let Some(tag) = lower.starts_with(prefix).then(|| name.get(prefix.len()..)).flatten() {
            return How::Tag(*family, tag.into());
        }
    }
    let rows: Vec<&Parameter> = PARAMETERS
        .iter()
        .filter(|row| row.key.eq_ignore_ascii_case(name) && row.service == action.service.prefix)
        .filter(|row| row.names.contains(&action.name()))
        .collect();
    if rows.is_empty() { How::Unknown } else { How::Parameters(rows) }
}

/// The parameters of a request, where the record has them whole.
fn whole<'r>(who: &Who<'r, '_>) -> Option<&'r str> {
    // What is too large CloudTrail leaves out and says so.
    who.record.request_parameters.filter(|text| text.starts_with('{') && !text.contains("\"omitted\":true"))
}

fn parameters(who: &Who<'_, '_>, rows: &[&Parameter], out: &mut Values) -> Told {
    let Some(text) = whole(who) else { return Told::Unknown };
    let before = out.len();
    let mut hidden = false;
    for row in rows {
        let read = walk::each(text, row.path, &mut |value| {
            hidden |= value.contains("HIDDEN_DUE_TO_SECURITY_REASONS") || value == "***";
            // A key's name or alias is not the ARN that the condition key holds.
            hidden |= row.key.ends_with("KmsKeyArn") && !value.starts_with("arn:");
            out.push(value);
        });
        hidden |= !read;
    }
    match out.len() > before {
        _ if hidden => {
            out.truncate(before);
            Told::Unknown
        }
        true => Told::Known,
        false if rows.iter().all(|row| row.absent) => Told::Absent,
        false => Told::Unknown,
    }
}

fn tags(who: &Who<'_, '_>, out: &mut Values, mut take: impl FnMut(&str, &str, &mut Values)) -> Told {
    let Some(text) = whole(who) else { return Told::Unknown };
    if !may_hold_tags(text) {
        return Told::Absent;
    }
    let before = out.len();
    let read = Reader::new(text).entries(|reader, name| {
        let holds = TAGS.iter().any(|known| known.eq_ignore_ascii_case(&name));
        if holds { pairs(reader, 0, &mut |tag, value| take(tag, value, out)) } else { reader.step() }
    });
    if read.is_none() {
        out.truncate(before);
        return Told::Unknown;
    }
    if out.len() > before { Told::Known } else { Told::Absent }
}

/// Whether a key of the text begins as those of [`TAGS`]: a look that costs little, since in most none does.
fn may_hold_tags(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = |quote| {
        let key = bytes.get(quote + 1..).and_then(|rest| rest.get(..TAG.len()));
        key.is_some_and(|key| key.eq_ignore_ascii_case(TAG))
    };
    // With an escape a name can be spelled in many ways.
    memchr(b'\\', bytes).is_some() || memchr_iter(b'"', bytes).any(begins)
}

/// Gives the tags of a list of `{key, value}`, of lists in objects, or of a map; `None` where it is none of these.
fn pairs(reader: &mut Reader<'_>, depth: usize, give: &mut dyn FnMut(&str, &str)) -> Option<()> {
    match reader.peek()? {
        b'[' if depth < 4 => reader.list(|reader| pairs(reader, depth + 1, give)),
        b'{' => object(reader, depth, give),
        b'n' if depth == 0 => reader.step(),
        _ => None,
    }
}

/// An object is a tag, or holds lists of them, or is a map of them: which, is known at its end.
fn object(reader: &mut Reader<'_>, depth: usize, give: &mut dyn FnMut(&str, &str)) -> Option<()> {
    let (mut key, mut value, mut lists) = (None, None, false);
    let mut ahead = *reader;
    ahead.entries(|reader, name| {
        let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(&name));
        match reader.peek()? {
            b'"' if is(&["key", "tagKey"]) => key = key.take().or(Some(reader.spelled()?)),
            b'"' if is(&["value", "tagValue"]) => value = value.take().or(Some(reader.spelled()?)),
            first => {
                lists |= first == b'[' && LISTS.contains(&&*name);
                reader.step()?;
            }
        }
        Some(())
    })?;
    if let Some(key) = key {
        give(&key, &value.unwrap_or_default());
        *reader = ahead;
        return Some(());
    }
    reader.entries(|reader, name| match reader.peek()? {
        _ if lists && LISTS.contains(&&*name) => pairs(reader, depth + 1, give),
        _ if lists => reader.step(),
        b'"' => {
            give(&name, &reader.spelled()?);
            Some(())
        }
        _ => None,
    })
}

/// What an enriched event says of the key; `None`: nothing.
fn enriched(context: &str, key: &Key, out: &mut Values) -> Option<Told> {
    let before = out.len();
    let mut values = |reader: &mut Reader<'_>| match reader.peek()? {
        b'[' => reader.list(|reader| walk::scalar(reader, &mut |value| out.push(value))),
        _ => walk::scalar(reader, &mut |value| out.push(value)),
    };
    let read = Reader::new(context).entries(|reader, part| match (&*part, &key.how) {
        ("requestContext", _) => reader.under(&key.name, &mut values),
        ("tagContext", How::Tag(Family::Principal, tag)) => {
            reader.under("principalTags", &mut |reader| reader.under(tag, &mut values))
        }
        ("tagContext", How::Tag(Family::Resource, tag)) => reader.under("resourceTags", &mut |reader| {
            // With several resources one value would be held against all.
            if resources(*reader)? != 1 {
                return reader.step();
            }
            reader.list(|reader| reader.under("tags", &mut |reader| reader.under(tag, &mut values)))
        }),
        _ => reader.step(),
    });
    if read.is_none() {
        out.truncate(before);
    }
    (out.len() > before).then_some(Told::Known)
}

/// How many values a list has; 0 in another value.
fn resources(mut reader: Reader<'_>) -> Option<usize> {
    let mut count = 0;
    if reader.peek()? == b'[' {
        reader.list(|reader| {
            count += 1;
            reader.step()
        })?;
    }
    Some(count)
}

#[cfg(test)]
mod tests;
