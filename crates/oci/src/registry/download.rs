//! Blobs from a registry into the store.

use std::cell::Cell;

use super::TransferError;
use super::client::{Registry, check_length};
use super::http::Trouble;
use crate::document::Descriptor;
use crate::store::{BlobStore, Partial};
use crate::{OciError, PullEvent};

impl Registry<'_> {
    /// Makes sure that the blob is in the store, verified.
    pub(crate) fn ensure(
        &self,
        descriptor: &Descriptor,
        store: &BlobStore,
    ) -> Result<(), OciError> {
        let digest = descriptor.digest;
        let on_wait = || (self.on_event)(PullEvent::Waiting { digest });
        if let Some(mut partial) = store.claim(descriptor, self.stop, &on_wait)? {
            partial.take_up(self.stop)?;
            self.complete(&mut partial)?;
            if partial.digest() != digest && partial.is_pieced() {
                // Which piece is wrong, nobody knows.
                partial.restart()?;
                self.complete(&mut partial)?;
            }
            let got = partial.digest();
            if got != digest {
                partial.discard()?;
                return Err(OciError::WrongDigest { wanted: digest, got, origin: self.origin() });
            }
            partial.accept()?;
        }
        (self.on_event)(PullEvent::Verified { digest });
        Ok(())
    }

    /// Downloads what is missing.
    fn complete(&self, partial: &mut Partial) -> Result<(), OciError> {
        self.report(partial);
        let reached = Cell::new(partial.there());
        self.persist(&reached, &mut || {
            let outcome = self.attempt(partial);
            reached.set(partial.there());
            outcome
        })
    }

    fn attempt(&self, partial: &mut Partial) -> Result<(), Trouble> {
        if partial.is_complete() {
            return Ok(());
        }
        let descriptor = *partial.descriptor();
        let mut reply = self.send(&self.blob_request(&descriptor, partial.there()))?;
        match reply.status {
            206 if reply.range_start() == Some(partial.there()) => partial.go_on(),
            200 => partial.restart()?,
            // It has other bytes than those that are wanted.
            206 | 416 => {
                partial.restart()?;
                let (status, detail) = (reply.status, String::new());
                let (host, error) =
                    (reply.host().to_owned(), TransferError::Busy { status, detail });
                return Err(Trouble::Passing { host, error, wait: None });
            }
            _ => return Err(self.blob_refusal(reply, &descriptor)),
        }
        while let Some(data) = reply.next(self.stop)? {
            partial.append(&data, reply.host())?;
            self.report(partial);
        }
        check_length(&reply, Some(descriptor.size), partial.there())
    }

    fn report(&self, partial: &Partial) {
        let (digest, received) = (partial.descriptor().digest, partial.there());
        (self.on_event)(PullEvent::Progress { digest, received });
    }
}
