//! `POST /containers/{id}/exec`.

use std::collections::HashMap;

use cove_proto::v1;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, invalid_json};
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::exec::DETACH_KEYS;
use crate::spec::body::OneOrMany;
use crate::spec::terminal_size;

/// The body. What clients also send (`Detach`) is of the start.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Body {
    cmd: Option<OneOrMany>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    tty: Option<bool>,
    attach_stdin: Option<bool>,
    attach_stdout: Option<bool>,
    attach_stderr: Option<bool>,
    privileged: Option<bool>,
    console_size: Option<[u32; 2]>,
    // Go reads names in any case, and docker-py writes this one so.
    #[serde(alias = "detachKeys")]
    detach_keys: Option<String>,
}

/// Makes an exec.
pub(in crate::routes) async fn create(mut call: Call) -> Result<Reply, Error> {
    let body: Body = serde_json::from_value(call.json().await?).map_err(invalid_json)?;
    let args = body.cmd.unwrap_or_default().into_vec();
    if args.is_empty() {
        return Err(Error::BadRequest("No exec command specified".to_owned()));
    }
    let tty = body.tty.unwrap_or(false);
    let detach_keys = body.detach_keys.filter(|keys| !keys.is_empty());
    let spec = v1::ExecSpec {
        args,
        env: body.env.unwrap_or_default(),
        working_dir: body.working_dir.unwrap_or_default(),
        user: body.user.unwrap_or_default(),
        tty,
        stdin: body.attach_stdin.unwrap_or(false),
        stdout: body.attach_stdout.unwrap_or(false),
        stderr: body.attach_stderr.unwrap_or(false),
        privileged: body.privileged.unwrap_or(false),
        terminal: body.console_size.filter(|_| tty).and_then(terminal_size),
        client_data: detach_keys.map(|keys| HashMap::from([(DETACH_KEYS.to_owned(), keys)])).unwrap_or_default(),
    };
    let request = v1::CreateExecRequest { container: call.name(), spec: Some(spec) };
    let created = call.execs().create_exec(request).await?.into_inner();
    Ok(Reply::json(StatusCode::CREATED, &json!({"Id": created.id})))
}
