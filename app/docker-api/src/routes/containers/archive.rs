//! `/containers/{id}/archive`: `docker cp`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cove_proto::v1::{self, read_files_response as read, write_files_request as write};
use futures::StreamExt as _;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::call::{Call, Upload};
use crate::error::Error;
use crate::reply::Reply;
use crate::timestamps;

/// What is at the path, in a header.
const STAT: &str = "X-Docker-Container-Path-Stat";

/// Says what is at a path.
pub(in crate::routes) async fn stat(call: Call) -> Result<Reply, Error> {
    let request = v1::StatFileRequest { container: call.name(), path: path(&call)? };
    let found = call.files().stat_file(request).await?.into_inner();
    Ok(with_stat(Reply::empty(StatusCode::OK), &found.stat.unwrap_or_default()))
}

/// Sends the tar of what is at a path.
pub(in crate::routes) async fn read(call: Call) -> Result<Reply, Error> {
    let request = v1::ReadFilesRequest { container: call.name(), path: path(&call)? };
    let mut tar = call.files().read_files(request).await?.into_inner();
    let Some(v1::ReadFilesResponse { message: Some(read::Message::Stat(stat)) }) = tar.message().await? else {
        return Err(Error::Internal("the engine did not say what the file is".to_owned()));
    };
    let pieces = tar.map(|piece| {
        piece.map(|piece| match piece.message {
            Some(read::Message::Data(data)) => Bytes::from(data),
            _ => Bytes::new(),
        })
    });
    Ok(with_stat(Reply::stream("application/x-tar", pieces), &stat))
}

/// Unpacks the body into a folder.
pub(in crate::routes) async fn write(call: Call) -> Result<Reply, Error> {
    let open = v1::WriteFilesOpen {
        container: call.name(),
        path: path(&call)?,
        keep_kinds: call.query.flag("noOverwriteDirNonDir"),
        owned_by_user: call.query.flag("copyUIDGID"),
    };
    let mut files = call.files();
    let Upload { pieces, broken } = call.upload();
    let first = v1::WriteFilesRequest { message: Some(write::Message::Open(open)) };
    let data = pieces.map(|data| v1::WriteFilesRequest { message: Some(write::Message::Data(data)) });
    let requests = futures::stream::iter([first]).chain(data);
    Upload::during(broken, async move { files.write_files(requests).await }).await?;
    Ok(Reply::empty(StatusCode::OK))
}

fn path(call: &Call) -> Result<String, Error> {
    match call.query.get("path") {
        // dockerd's words, as they are.
        "" => Err(Error::BadRequest("bad parameter: pathcannot be empty".to_owned())),
        path => Ok(path.to_owned()),
    }
}

fn with_stat(mut reply: Reply, stat: &v1::FileStat) -> Reply {
    let shown = json!({
        "name": stat.name,
        "size": stat.size_bytes,
        "mode": go_mode(stat.mode),
        "mtime": timestamps::rfc3339(stat.modified_at.as_ref()),
        "linkTarget": stat.link_target,
    });
    if let (Reply::Http(response), Ok(value)) = (&mut reply, HeaderValue::from_str(&STANDARD.encode(shown.to_string())))
    {
        response.headers_mut().insert(STAT, value);
    }
    reply
}

/// Go's `os.FileMode` of a mode of stat(2).
fn go_mode(mode: u32) -> u32 {
    const DIR: u32 = 1 << 31;
    const SYMLINK: u32 = 1 << 27;
    const DEVICE: u32 = 1 << 26;
    const PIPE: u32 = 1 << 25;
    const SOCKET: u32 = 1 << 24;
    const SETUID: u32 = 1 << 23;
    const SETGID: u32 = 1 << 22;
    const CHAR_DEVICE: u32 = 1 << 21;
    const STICKY: u32 = 1 << 20;
    let kind = match mode & 0o170_000 {
        0o040_000 => DIR,
        0o120_000 => SYMLINK,
        0o060_000 => DEVICE,
        0o020_000 => DEVICE | CHAR_DEVICE,
        0o010_000 => PIPE,
        0o140_000 => SOCKET,
        _ => 0,
    };
    let bits = [(0o4000, SETUID), (0o2000, SETGID), (0o1000, STICKY)];
    let bits = bits.into_iter().filter(|(bit, _)| mode & bit != 0).map(|(_, go)| go).sum::<u32>();
    kind | bits | (mode & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        // As dockerd said them of /etc/passwd, /bin/sh and /etc.
        for (mode, go) in [
            (0o100_644, 420),
            (0o120_777, 134_218_239),
            (0o040_755, 2_147_484_141),
            (0o041_777, 2_148_532_735),
            (0o104_755, 8_389_101),
            (0o020_666, 69_206_454),
        ] {
            assert_eq!(go_mode(mode), go, "{mode:o}");
        }
    }
}
