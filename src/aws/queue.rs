//! The queue by which AWS tells what happened: its port, and what its URL says.

use std::time::Duration;

use futures::future::BoxFuture;

use super::AwsError;

/// Longest wait of one call for a message (AWS: "Amazon SQS short and long polling").
pub const WAIT: Duration = Duration::from_secs(20);
/// Most messages of one call, and most that are deleted by one.
pub const MOST: usize = 10;
/// How long a message that was received stays hidden from the next call. One that is not deleted by then comes again.
pub const HIDDEN: Duration = Duration::from_secs(300);

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// AWS's id of it.
    pub id: String,
    /// By this it is deleted; a message that comes again has another.
    pub receipt: String,
    /// What was sent.
    pub body: String,
}

/// One queue.
pub trait Queue: Send + Sync {
    /// Up to [`MOST`] messages, as soon as there is one; none after [`WAIT`].
    fn receive(&self) -> BoxFuture<'_, Result<Vec<Message>, AwsError>>;

    /// Deletes messages by their receipts, at most [`MOST`].
    fn delete(&self, receipts: Vec<String>) -> BoxFuture<'_, Result<(), AwsError>>;
}

/// Where a queue is, as its URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The Region; `None` where the host is none of AWS's (emulators).
    pub region: Option<String>,
    /// The endpoint, where it is not the one that follows from the Region: that of a VPC.
    pub endpoint: Option<String>,
}

/// Reads the URL of a queue, `https://sqs.us-east-1.amazonaws.com/111122223333/name` and its like. A host that is none
/// of AWS's is never an endpoint: signed calls go to AWS, or to where the process was told that AWS is.
///
/// # Errors
/// What is wrong with it, for people.
pub fn place(url: &str) -> Result<Place, String> {
    let wrong = || {
        format!(
            "`{}` is not the URL of a queue: expected `https://sqs.<region>.amazonaws.com/<account>/<name>`",
            crate::names::words::quoted(url)
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let (authority, path) = rest.split_once('/').ok_or_else(wrong)?;
    let (account, name) = path.split_once('/').ok_or_else(wrong)?;
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let forms = matches!(scheme, "https" | "http")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(word)
        && !authority.is_empty()
        && authority.chars().all(|c| word(c) || c == ':');
    if !forms {
        return Err(wrong());
    }
    let host = authority.split(':').next().unwrap_or_default();
    let Some(inside) =
        [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().find_map(|end| host.strip_suffix(end))
    else {
        return Ok(Place { region: None, endpoint: None });
    };
    if scheme != "https" {
        return Err(wrong());
    }
    let labels: Vec<&str> = inside.split('.').collect();
    let (region, vpc) = match labels.as_slice() {
        ["sqs" | "sqs-fips", region] => (*region, false),
        [_, "sqs", region, "vpce"] => (*region, true),
        // Names of long ago.
        ["queue"] => ("us-east-1", false),
        [region, "queue"] => (*region, false),
        _ => return Err(wrong()),
    };
    Ok(Place { region: Some(region.to_owned()), endpoint: vpc.then(|| format!("https://{authority}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_where_the_queue_is() {
        for (url, region, endpoint) in [
            ("https://sqs.us-east-1.amazonaws.com/111122223333/bylaw-events", Some("us-east-1"), None),
            ("https://sqs-fips.us-gov-west-1.amazonaws.com/111122223333/q", Some("us-gov-west-1"), None),
            ("https://sqs.cn-northwest-1.amazonaws.com.cn/111122223333/q", Some("cn-northwest-1"), None),
            ("https://sqs.eu-west-1.api.aws/111122223333/q.fifo", Some("eu-west-1"), None),
            ("https://queue.amazonaws.com/111122223333/q", Some("us-east-1"), None),
            ("https://eu-west-1.queue.amazonaws.com/111122223333/q", Some("eu-west-1"), None),
            (
                "https://vpce-0a-b.sqs.us-east-1.vpce.amazonaws.com/111122223333/q",
                Some("us-east-1"),
                Some("https://vpce-0a-b.sqs.us-east-1.vpce.amazonaws.com"),
            ),
            ("http://127.0.0.1:5000/111122223333/q", None, None),
        ] {
            let (region, endpoint) = (region.map(str::to_owned), endpoint.map(str::to_owned));
            assert_eq!(place(url), Ok(Place { region, endpoint }), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_queue_is_told_with_what_is_expected() {
        for url in [
            "",
            "bylaw-events",
            "arn:aws:sqs:us-east-1:111122223333:bylaw-events",
            "https://sqs.us-east-1.amazonaws.com/bylaw-events",
            "https://sqs.us-east-1.amazonaws.com/1111/q",
            "https://sqs.us-east-1.amazonaws.com/111122223333/",
            "https://sqs.us-east-1.amazonaws.com/111122223333/q?a=b",
            "http://sqs.us-east-1.amazonaws.com/111122223333/q",
            "https://evil.amazonaws.com/111122223333/q",
            "https://user@sqs.us-east-1.amazonaws.com/111122223333/q",
            "ftp://127.0.0.1/111122223333/q",
        ] {
            assert!(place(url).unwrap_err().contains("sqs.<region>"), "{url}");
        }
    }
}
