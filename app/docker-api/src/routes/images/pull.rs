//! `POST /images/create?fromImage=`: what comes about, line by line, in dockerd's words.

use bytes::Bytes;
use cove_proto::v1::{self, pull_image_response::Event};
use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::{lines, tag};
use crate::routes::registry::{credentials, refused};
use crate::shapes::progress;

/// Fetches an image. As long as nothing was sent, an error is still an answer.
pub(in crate::routes) async fn pull(call: Call) -> Result<Reply, Error> {
    // "pull -a" of old clients leaves a colon behind the name.
    let image = call.query.get("fromImage").trim_end_matches(':');
    let wanted = call.query.get("tag");
    let all_tags = wanted.is_empty() && is_name_only(image);
    let request = v1::PullImageRequest {
        reference: tag::reference(image, wanted),
        all_tags,
        platform: call.query.get("platform").to_owned(),
        credentials: Some(credentials(&call)?),
    };
    let mut events = call.registry().pull_image(request).await.map_err(refused)?.into_inner();
    let first = events.message().await.map_err(refused)?;
    let events = stream::iter(first.map(Ok)).chain(events);
    let told = stream::unfold(
        (events, Some(Told { all_tags, status: None, warnings: Vec::new() })),
        |(mut events, told)| async move {
            let mut told = told?;
            match events.next().await {
                Some(Ok(event)) => Some((told.lines(event), (events, Some(told)))),
                Some(Err(status)) => Some((vec![lines::failed(&status)], (events, None))),
                None => Some((told.status.take().into_iter().chain(told.warnings).collect(), (events, None))),
            }
        },
    );
    let told = told.flat_map(stream::iter).map(Ok::<_, Error>);
    Ok(Reply::stream("application/json", told.boxed()))
}

/// Whether a name has neither tag nor digest: dockerd then pulls all tags. What the registry makes of it is its business.
fn is_name_only(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    !last.contains([':', '@'])
}

/// What was told so far.
struct Told {
    all_tags: bool,
    /// The last line.
    status: Option<Bytes>,
    /// What comes behind it.
    warnings: Vec<Bytes>,
}

impl Told {
    fn lines(&mut self, event: v1::PullImageResponse) -> Vec<Bytes> {
        match event.event {
            Some(Event::Begun(begun)) => {
                vec![lines::line(&json!({"status": format!("Pulling from {}", begun.path), "id": begun.tag}))]
            }
            Some(Event::Layer(layer)) => progress::layer(&layer).iter().map(lines::line).collect(),
            Some(Event::Done(done)) => self.done(&done),
            None => Vec::new(),
        }
    }

    /// The digest goes out for each tag, the verdict once for all.
    fn done(&mut self, done: &v1::PullDone) -> Vec<Bytes> {
        let name = match done.reference.rsplit_once(':') {
            Some((name, _tag)) if self.all_tags => name,
            _ => done.reference.as_str(),
        };
        let is_newer = !done.up_to_date;
        if is_newer || self.status.is_none() {
            let verdict = if is_newer { "Downloaded newer image" } else { "Image is up to date" };
            self.status = Some(lines::line(&json!({"status": format!("Status: {verdict} for {name}")})));
        }
        if !done.warning.is_empty() {
            self.warnings.push(lines::line(&json!({"status": format!("WARNING: {}", done.warning)})));
        }
        vec![lines::line(&json!({"status": format!("Digest: {}", done.digest)}))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        for (image, expected) in
            [("alpine", true), ("host:5000/a", true), ("host:5000/a:1", false), ("a@sha256:00", false), ("a:1", false)]
        {
            assert_eq!(is_name_only(image), expected, "{image}");
        }
    }
}
