//! Condition keys of every service.
//!
//! Source: IAM user guide, "AWS global condition context keys", read on 2026-11-28. Those with the prefix
//! of a service are filled by that service and carried by requests to all.

use super::{Key, ValueType, key_matches};

/// When a request carries a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Every request.
    Always,
    /// Every request that is signed: all that SCPs and identity policies see.
    Signed,
    /// Some requests; the text says which ("requests …").
    Some(&'static str),
}

/// A key of every service.
#[derive(Debug, Clone, Copy)]
pub struct GlobalKey {
    /// As AWS spells it.
    pub name: &'static str,
    /// Type of a value.
    pub kind: ValueType,
    /// Whether a request can carry many values of it.
    pub many: bool,
    /// When a request carries it.
    pub presence: Presence,
}

impl GlobalKey {
    pub(super) fn key(&self) -> Key {
        Key { name: self.name, kind: self.kind, many: self.many, attached: true }
    }
}

const fn one(name: &'static str, kind: ValueType, presence: Presence) -> GlobalKey {
    GlobalKey { name, kind, many: false, presence }
}

const fn many(name: &'static str, presence: Presence) -> GlobalKey {
    GlobalKey { name, kind: ValueType::String, many: true, presence }
}

use Presence::{Always, Signed, Some as When};
use ValueType::{Arn, Bool, Date, IpAddress, Numeric, String as Text};

const IN_ORG: Presence = When("of principals that belong to an organization");
const SERVICE: Presence = When("that an AWS service makes under its own name");
const FOR_CUSTOMER: Presence = When("that an AWS service makes under its own name for a resource of somebody");
const ENDPOINT: Presence = When("that come through a VPC endpoint");
const ENDPOINT_SOME: Presence = When("that come through a VPC endpoint, to the services that support the key");
const VIA: Presence = When("that an AWS service makes for the caller");
const TEMPORARY: Presence = When("with temporary credentials");
const EC2: Presence = When("with the credentials of an EC2 instance's role");
const MCP: Presence = When("that come through an MCP server that AWS runs");
const CODEBUILD: Presence = When("of a build's role");

/// Every key of every service.
pub const GLOBAL: &[GlobalKey] = &[
    one("aws:PrincipalArn", Arn, Signed),
    one("aws:PrincipalAccount", Text, Always),
    many("aws:PrincipalOrgPaths", IN_ORG),
    one("aws:PrincipalOrgID", Text, IN_ORG),
    one("aws:PrincipalTag/${TagKey}", Text, When("of principals that have the tag")),
    one("aws:PrincipalIsAWSService", Bool, Signed),
    one("aws:PrincipalServiceName", Text, SERVICE),
    many("aws:PrincipalServiceNamesList", SERVICE),
    one("aws:PrincipalType", Text, Always),
    one("aws:userid", Text, Always),
    one("aws:username", Text, When("of IAM users")),
    one("aws:AssumedRoot", Text, When("with credentials of `sts:AssumeRoot`")),
    one("aws:FederatedProvider", Text, When("of roles assumed with web identity or SAML")),
    one("aws:TokenIssueTime", Date, TEMPORARY),
    one("aws:SignInSessionArn", Arn, When("with credentials of a sign-in to the console")),
    one("aws:MultiFactorAuthAge", Numeric, When("of sessions that were opened with MFA")),
    one("aws:MultiFactorAuthPresent", Bool, TEMPORARY),
    one("aws:ChatbotSourceArn", Arn, When("from chat applications")),
    one("aws:Ec2InstanceSourceVpc", Text, EC2),
    one("aws:Ec2InstanceSourcePrivateIPv4", IpAddress, EC2),
    one("aws:SourceIdentity", Text, When("of roles assumed with a source identity")),
    one("ec2:RoleDelivery", Numeric, EC2),
    one("ec2:SourceInstanceArn", Arn, EC2),
    one("glue:RoleAssumedBy", Text, When("that AWS Glue makes for a job")),
    one("glue:CredentialIssuingService", Text, When("with credentials that AWS Glue issued")),
    one("codebuild:BuildArn", Arn, CODEBUILD),
    one("codebuild:ProjectArn", Arn, CODEBUILD),
    one("lambda:SourceFunctionArn", Arn, When("of a function's role from within the function")),
    one("ssm:SourceInstanceArn", Arn, When("of nodes that Systems Manager manages")),
    one("identitystore:UserId", Text, When("of sessions that know an Identity Center user")),
    one("aws:SourceIp", IpAddress, When("that do not come through a VPC endpoint")),
    one("aws:SourceVpc", Text, ENDPOINT),
    one("aws:SourceVpcArn", Arn, ENDPOINT_SOME),
    one("aws:SourceVpce", Text, ENDPOINT),
    one("aws:VpceAccount", Text, ENDPOINT_SOME),
    one("aws:VpceOrgID", Text, ENDPOINT_SOME),
    many("aws:VpceOrgPaths", ENDPOINT_SOME),
    one("aws:VpcSourceIp", IpAddress, ENDPOINT),
    one("aws:ResourceAccount", Text, When("on a resource that an account owns")),
    one("aws:ResourceOrgID", Text, When("on a resource of an account in an organization")),
    many("aws:ResourceOrgPaths", When("on a resource of an account in an organization")),
    one("aws:ResourceTag/${TagKey}", Text, When("on a resource that has the tag")),
    many("aws:CalledVia", VIA),
    one("aws:CalledViaFirst", Text, VIA),
    one("aws:CalledViaLast", Text, VIA),
    one("aws:CalledViaAWSMCP", Text, MCP),
    one("aws:ViaAWSService", Bool, Always),
    one("aws:ViaAWSMCPService", Bool, MCP),
    one("aws:CurrentTime", Date, Always),
    one("aws:EpochTime", Date, Always),
    one("aws:referer", Text, When("of a browser that sends the header")),
    one("aws:RequestedRegion", Text, Always),
    one("aws:RequestTag/${TagKey}", Text, When("that pass the tag")),
    many("aws:TagKeys", When("that pass tags")),
    one("aws:SecureTransport", Bool, Always),
    one("aws:SourceAccount", Text, FOR_CUSTOMER),
    one("aws:SourceArn", Arn, FOR_CUSTOMER),
    one("aws:SourceOrgID", Text, FOR_CUSTOMER),
    many("aws:SourceOrgPaths", FOR_CUSTOMER),
    one("aws:UserAgent", Text, When("of a client that sends the header")),
    one("aws:IsMcpServiceAction", Bool, MCP),
];

/// The key of that name, templates filled; case does not count.
#[must_use]
pub fn find(name: &str) -> Option<&'static GlobalKey> {
    GLOBAL.iter().find(|key| key_matches(key.name, name))
}
