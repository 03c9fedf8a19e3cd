//! Condition keys that fields of a record tell.
//!
//! Sources: IAM user guide, "AWS global condition context keys" (when a request carries a key); CloudTrail user guide,
//! "CloudTrail userIdentity element"; S3 user guide, "Amazon S3 CloudTrail events" (`additionalEventData`).

use core::net::IpAddr;

use crate::trail::record;
use crate::trail::request::{Kind, Told, Values, Who};
use crate::trail::walk;

/// Reads a key.
pub(super) type Read = fn(&Who<'_, '_>, &mut Values) -> Told;

/// The key of that name, in lower case.
pub(super) fn find(lower: &str) -> Option<Read> {
    FIELDS.iter().find(|(known, ..)| *known == lower).map(|(.., read)| *read)
}

/// Whether an IAM user signs with an access key of its own, so that the request carries nothing of a session.
fn is_without_session(who: &Who<'_, '_>) -> bool {
    who.kind == Kind::User
}

/// Keys that only sessions of roles carry: absent of users and of the root user, and not told of others.
const OF_ROLES: Read = |who, _| if matches!(who.kind, Kind::User | Kind::Root) { Told::Absent } else { Told::Unknown };

/// Keys that only requests carry that a service makes for the caller.
const OF_SERVICES: Read = |who, _| match who.kind {
    // A service's own requests carry none of them (`aws:CalledVia` in the IAM user guide).
    Kind::Service => Told::Absent,
    _ if who.through().is_none() => Told::Absent,
    _ => Told::Unknown,
};

/// Keys that a service's own requests may carry, with what they are for.
const OF_SOURCE: Read =
    |who, _| if who.through().is_none() && is_principal(who) { Told::Absent } else { Told::Unknown };

/// Keys of requests through a VPC endpoint.
const OF_ENDPOINT: Read = |who, _| if who.is_from_outside() { Told::Absent } else { Told::Unknown };

/// Whether the caller is a principal of an account or nobody, and no service.
fn is_principal(who: &Who<'_, '_>) -> bool {
    match who.kind {
        Kind::Service => false,
        // AWS has other types of identity, some of which are services' own.
        Kind::Other => &*who.record.user_identity.kind == "AWSAccount",
        _ => true,
    }
}

/// What a record tells beside the request.
fn additional(who: &Who<'_, '_>, name: &str, as_key: &[(&str, &str)], out: &mut Values) -> Told {
    let Some(text) = who.record.additional_event_data else { return Told::Unknown };
    let mut told = Told::Unknown;
    walk::each(text, name, &mut |value| {
        if let Some((_, value)) = as_key.iter().find(|(known, _)| *known == value) {
            told = out.one(value);
        }
    });
    told
}

/// Keys that fields of the record tell, in lower case, with where these stand, for people.
pub(super) const FIELDS: &[(&str, &str, Read)] = &[
    ("aws:calledvia", "absent without `userIdentity.invokedBy`", OF_SERVICES),
    ("aws:calledviafirst", "absent without `userIdentity.invokedBy`", OF_SERVICES),
    ("aws:calledvialast", "absent without `userIdentity.invokedBy`", OF_SERVICES),
    ("aws:currenttime", "`eventTime`", |who, out| out.one(&who.record.event_time)),
    ("aws:epochtime", "`eventTime`", |who, out| match record::seconds(&who.record.event_time) {
        Some(seconds) => out.one(&seconds.to_string()),
        None => Told::Unknown,
    }),
    ("aws:federatedprovider", "`userIdentity.sessionContext.webIdFederationData.federatedProvider`", |who, out| {
        let provider = &who.session().web_id_federation_data.federated_provider;
        match who.kind {
            _ if !provider.is_empty() => out.one(provider),
            Kind::Root | Kind::User => Told::Absent,
            _ => Told::Unknown,
        }
    }),
    (
        "aws:multifactorauthage",
        "absent where `userIdentity.sessionContext.attributes.mfaAuthenticated` is `false`, or a user has no session",
        |who, _| match &*who.session().attributes.mfa_authenticated {
            "false" => Told::Absent,
            "" if is_without_session(who) => Told::Absent,
            _ => Told::Unknown,
        },
    ),
    (
        "aws:multifactorauthpresent",
        "`userIdentity.sessionContext.attributes.mfaAuthenticated`; absent of a user without a session",
        |who, out| {
            let mfa = &who.session().attributes.mfa_authenticated;
            // A user with an access key has no session, and such requests do not carry the key.
            if mfa.is_empty() {
                if is_without_session(who) { Told::Absent } else { Told::Unknown }
            } else {
                out.one(mfa)
            }
        },
    ),
    ("aws:principalaccount", "`userIdentity.accountId`", |who, out| {
        out.one(if who.kind == Kind::Anonymous { "anonymous" } else { who.account })
    }),
    (
        "aws:principalarn",
        "`userIdentity.sessionContext.sessionIssuer.arn` of a role, else `userIdentity.arn`",
        |who, out| who.arn.map_or(Told::Unknown, |arn| out.one(arn)),
    ),
    ("aws:principalisawsservice", "`userIdentity.type`", |who, out| match who.kind {
        Kind::Service => out.one("true"),
        _ if is_principal(who) => out.one("false"),
        _ => Told::Unknown,
    }),
    (
        "aws:principalservicename",
        "`userIdentity.invokedBy` of an AWS service; absent of principals of accounts",
        |who, out| match who.through() {
            Some(service) if who.kind == Kind::Service && service.ends_with(".amazonaws.com") => out.one(service),
            _ if is_principal(who) => Told::Absent,
            _ => Told::Unknown,
        },
    ),
    // A service has several names, of which a record tells one.
    ("aws:principalservicenameslist", "absent of principals of accounts", |who, _| {
        if is_principal(who) { Told::Absent } else { Told::Unknown }
    }),
    ("aws:principaltype", "`userIdentity.type`", |who, out| match who.kind {
        Kind::Root => out.one("Account"),
        Kind::User => out.one("User"),
        Kind::Role => out.one("AssumedRole"),
        Kind::Federated => out.one("FederatedUser"),
        Kind::Anonymous => out.one("Anonymous"),
        Kind::Service | Kind::Provider | Kind::Other => Told::Unknown,
    }),
    ("aws:requestedregion", "`awsRegion`", |who, out| out.one(&who.record.aws_region)),
    (
        "aws:resourceaccount",
        "`resources`, else the ARNs among `requestParameters`, else `recipientAccountId`; not told where they do not agree",
        |who, out| who.resource_account().map_or(Told::Unknown, |account| out.one(account)),
    ),
    ("aws:securetransport", "`true` where `tlsDetails.tlsVersion` is there", |who, out| {
        if who.record.tls_details.tls_version.is_empty() { Told::Unknown } else { out.one("true") }
    }),
    ("aws:sourceaccount", "absent of principals without `userIdentity.invokedBy`", OF_SOURCE),
    ("aws:sourcearn", "absent of principals without `userIdentity.invokedBy`", OF_SOURCE),
    (
        "aws:sourceidentity",
        "`userIdentity.sessionContext.sourceIdentity`; absent where the session has none",
        |who, out| {
            let source = &who.session().source_identity;
            match (source.is_empty(), who.kind) {
                (false, _) => out.one(source),
                (true, Kind::Root | Kind::User | Kind::Federated) => Told::Absent,
                // Of a role's session the record has a context, with its source identity where it has one.
                (true, Kind::Role) if !who.session().attributes.creation_date.is_empty() => Told::Absent,
                _ => Told::Unknown,
            }
        },
    ),
    ("aws:sourceip", "`sourceIPAddress`; absent with `vpcEndpointId`", |who, out| {
        let address = &who.record.source_ip_address;
        let is_address = address.parse::<IpAddr>().is_ok();
        match (is_address && who.through().is_none(), who.record.vpc_endpoint_id.is_empty()) {
            (true, true) => out.one(address),
            (true, false) => Told::Absent,
            (false, _) => Told::Unknown,
        }
    }),
    ("aws:sourceorgid", "absent of principals without `userIdentity.invokedBy`", OF_SOURCE),
    ("aws:sourceorgpaths", "absent of principals without `userIdentity.invokedBy`", OF_SOURCE),
    ("aws:sourcevpc", "absent where `sourceIPAddress` is public and there is no `vpcEndpointId`", OF_ENDPOINT),
    ("aws:sourcevpcarn", "absent where `sourceIPAddress` is public and there is no `vpcEndpointId`", OF_ENDPOINT),
    ("aws:sourcevpce", "`vpcEndpointId`; absent where `sourceIPAddress` is public", |who, out| {
        let endpoint = &who.record.vpc_endpoint_id;
        match endpoint.is_empty() {
            false => out.one(endpoint),
            true if who.is_from_outside() => Told::Absent,
            true => Told::Unknown,
        }
    }),
    (
        "aws:tokenissuetime",
        "`userIdentity.sessionContext.attributes.creationDate`; absent of a user without a session",
        |who, out| {
            let made = &who.session().attributes.creation_date;
            if made.is_empty() {
                if is_without_session(who) { Told::Absent } else { Told::Unknown }
            } else {
                out.one(made)
            }
        },
    ),
    ("aws:useragent", "`userAgent`, where it was not cut", |who, out| {
        // CloudTrail cuts long ones, and writes a service where one called for somebody.
        let agent = &who.record.user_agent;
        let whole = !agent.is_empty() && agent.len() < 1_000 && who.through().is_none() && !agent.ends_with("...");
        if whole { out.one(agent) } else { Told::Unknown }
    }),
    ("aws:userid", "`userIdentity.principalId`", |who, out| out.one(&who.record.user_identity.principal_id)),
    ("aws:username", "`userIdentity.userName` of users; absent of roles and the root user", |who, out| {
        match who.kind {
            Kind::User => out.one(&who.record.user_identity.user_name),
            Kind::Root | Kind::Role => Told::Absent,
            _ => Told::Unknown,
        }
    }),
    ("aws:viaawsservice", "`userIdentity.invokedBy`", |who, out| match who.through() {
        _ if who.kind == Kind::Service => out.one("false"),
        None if is_principal(who) => out.one("false"),
        None => Told::Unknown,
        Some(service) if service.ends_with(".amazonaws.com") => out.one("true"),
        Some(_) => Told::Unknown,
    }),
    ("aws:vpcsourceip", "`sourceIPAddress` with `vpcEndpointId`", |who, out| {
        match who.record.vpc_endpoint_id.is_empty() {
            false if who.record.source_ip_address.parse::<IpAddr>().is_ok() => out.one(&who.record.source_ip_address),
            true if who.is_from_outside() => Told::Absent,
            _ => Told::Unknown,
        }
    }),
    ("aws:vpceaccount", "absent where `sourceIPAddress` is public and there is no `vpcEndpointId`", OF_ENDPOINT),
    ("aws:vpceorgid", "absent where `sourceIPAddress` is public and there is no `vpcEndpointId`", OF_ENDPOINT),
    ("aws:vpceorgpaths", "absent where `sourceIPAddress` is public and there is no `vpcEndpointId`", OF_ENDPOINT),
    ("aws:assumedroot", "`userIdentity.type`: absent of all but `Root`", |who, _| {
        if who.kind == Kind::Root { Told::Unknown } else { Told::Absent }
    }),
    ("aws:ec2instancesourceprivateipv4", "absent of users and the root user", OF_ROLES),
    ("aws:ec2instancesourcevpc", "absent of users and the root user", OF_ROLES),
    ("codebuild:buildarn", "absent of users and the root user", OF_ROLES),
    ("codebuild:projectarn", "absent of users and the root user", OF_ROLES),
    ("ec2:region", "`awsRegion`", |who, out| out.one(&who.record.aws_region)),
    (
        "ec2:roledelivery",
        "`userIdentity.sessionContext.ec2RoleDelivery`; absent of users and the root user",
        |who, out| match (&*who.session().ec2_role_delivery, who.kind) {
            ("", Kind::User | Kind::Root) => Told::Absent,
            (version, _) => out.one(version),
        },
    ),
    ("ec2:sourceinstancearn", "absent of users and the root user", OF_ROLES),
    ("glue:credentialissuingservice", "absent of users and the root user", OF_ROLES),
    ("glue:roleassumedby", "absent of users and the root user", OF_ROLES),
    ("identitystore:userid", "`userIdentity.onBehalfOf.userId`", |who, out| {
        let user = &who.record.user_identity.on_behalf_of.user_id;
        if user.is_empty() && is_without_session(who) { Told::Absent } else { out.one(user) }
    }),
    ("kms:calleraccount", "`userIdentity.accountId`", |who, out| out.one(who.account)),
    (
        "lambda:sourcefunctionarn",
        "`userIdentity.inScopeOf.credentialsIssuedTo`; absent of users and the root user",
        |who, out| match (&*who.record.user_identity.in_scope_of.credentials_issued_to, who.kind) {
            ("", Kind::User | Kind::Root) => Told::Absent,
            (arn, _) if arn.starts_with("arn:") && arn.contains(":lambda:") => out.one(arn),
            _ => Told::Unknown,
        },
    ),
    ("s3:authtype", "`additionalEventData.AuthenticationMethod`", |who, out| {
        let methods = [("AuthHeader", "REST-HEADER"), ("QueryString", "REST-QUERY-STRING"), ("HtmlForm", "POST")];
        additional(who, "AuthenticationMethod", &methods, out)
    }),
    ("s3:resourceaccount", "as `aws:ResourceAccount`", |who, out| {
        who.resource_account().map_or(Told::Unknown, |account| out.one(account))
    }),
    ("s3:signatureversion", "`additionalEventData.SignatureVersion`", |who, out| {
        let versions = [("SigV2", "AWS"), ("SigV4", "AWS4-HMAC-SHA256"), ("SigV4A", "AWS4-ECDSA-P256-SHA256")];
        additional(who, "SignatureVersion", &versions, out)
    }),
    ("s3:tlsversion", "`tlsDetails.tlsVersion`", |who, out| {
        out.one(who.record.tls_details.tls_version.strip_prefix("TLSv").unwrap_or_default())
    }),
    ("ssm:sourceinstancearn", "absent of users and the root user", OF_ROLES),
    ("kms:viaservice", "`userIdentity.invokedBy` with `awsRegion`", |who, out| {
        match who.through().and_then(|service| service.strip_suffix(".amazonaws.com")) {
            // KMS names the service with its region.
            Some(service) if !who.record.aws_region.is_empty() && !service.contains('.') && is_principal(who) => {
                out.one(&format!("{service}.{}.amazonaws.com", &*who.record.aws_region))
            }
            Some(_) => Told::Unknown,
            None if who.through().is_some() || !is_principal(who) => Told::Unknown,
            None => Told::Absent,
        }
    }),
];
