//! SQS behind the port of queues: one attempt a call, with the same credentials as everything else.

use aws_config::Region;
use aws_sdk_sqs as sqs;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Options, fault, guard, unusable};
use crate::aws::AwsError;
use crate::aws::queue::{HIDDEN, MOST, Message, Queue, WAIT, place};

/// A queue of AWS.
pub struct Sqs {
    client: sqs::Client,
    url: String,
}

impl Sqs {
    /// Reads the configuration and makes the client; no call is sent.
    ///
    /// # Errors
    /// The options cannot be used, or `url` is not the URL of a queue.
    pub async fn connect(options: &Options, url: &str) -> Result<Self, AwsError> {
        let place = place(url).map_err(|why| unusable(&why))?;
        // A call that waits for a message takes so much longer.
        let options = Options { attempt_timeout: options.attempt_timeout + WAIT, ..options.clone() };
        let mut shared = super::configured(&options).await?.into_builder();
        shared.set_region(Some(place.region.map_or_else(|| Region::new(options.partition.region()), Region::new)));
        let shared = shared.build();
        let mut config = sqs::config::Builder::from(&shared).interceptor(guard::OnlyJson);
        if let Some(endpoint) = place.endpoint.filter(|_| options.endpoint.is_none()) {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self { client: sqs::Client::from_conf(config.build()), url: url.to_owned() })
    }

    async fn received(&self) -> Result<Vec<Message>, AwsError> {
        let seconds = |time: std::time::Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        let call = self.client.receive_message().queue_url(&self.url).wait_time_seconds(seconds(WAIT));
        let call = call.max_number_of_messages(i32::try_from(MOST).unwrap_or(1)).visibility_timeout(seconds(HIDDEN));
        let out = call.send().await.map_err(|error| fault::map("ReceiveMessage", &error))?;
        // One without a receipt cannot be deleted, one without a body says nothing: they come again, or end in the queue
        // for what nobody could read.
        let message = |message: sqs::types::Message| {
            let (id, body) = (message.message_id.unwrap_or_default(), message.body.unwrap_or_default());
            Some(Message { id, receipt: message.receipt_handle?, body })
        };
        Ok(out.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn deleted(&self, receipts: Vec<String>) -> Result<(), AwsError> {
        let mut entries = vec![];
        for (n, receipt) in receipts.into_iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(receipt).build();
            entries.push(entry.map_err(|error| unusable(&error.to_string()))?);
        }
        let call = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        // IAM knows the call by the name of its single form.
        let out = call.send().await.map_err(|error| fault::map("DeleteMessage", &error))?;
        match out.failed.first() {
            None => Ok(()),
            Some(first) => {
                let message = first.message().unwrap_or("AWS gave no message");
                Err(AwsError::answered("DeleteMessage", first.code(), message, None))
            }
        }
    }
}

impl Queue for Sqs {
    fn receive(&self) -> BoxFuture<'_, Result<Vec<Message>, AwsError>> {
        self.received().boxed()
    }

    fn delete(&self, receipts: Vec<String>) -> BoxFuture<'_, Result<(), AwsError>> {
        self.deleted(receipts).boxed()
    }
}
