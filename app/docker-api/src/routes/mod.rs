//! The table of endpoints. Every route is a row: method, path, the API version it came with, and its handler.

mod containers;
mod exec;
mod images;
mod networks;
mod not_yet;
mod pattern;
mod registry;
mod system;
mod volumes;

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;

use crate::api::Shared;
use crate::call::Call;
use crate::error::Error;
use crate::query::{Query, percent_decoded};
use crate::reply::Reply;
use crate::version::ApiVersion;

/// What answers a request.
type Handler = fn(Call) -> BoxFuture<'static, Result<Reply, Error>>;

/// A row of the table.
struct Route {
    method: Method,
    /// "/containers/{}/json"; see [`pattern`].
    path: &'static str,
    /// Clients of an older API version do not see it.
    since: ApiVersion,
    handler: Handler,
}

/// Makes a row. `since 1.x` may be left out.
macro_rules! route {
    ($method:ident $path:literal => $handler:path) => {
        route!($method $path since ApiVersion::MIN => $handler)
    };
    ($method:ident $path:literal since $since:expr => $handler:path) => {
        Route { method: Method::$method, path: $path, since: $since, handler: |call| Box::pin($handler(call)) }
    };
}

/// The table. The first row that fits wins.
static ROUTES: &[Route] = &[
    route!(HEAD "/_ping" => system::ping::head),
    route!(GET "/_ping" => system::ping::get),
    route!(GET "/version" => system::version::get),
    route!(GET "/info" => system::info::get),
    route!(GET "/system/df" => system::df::df),
    route!(GET "/events" => system::events::events),
    // Containers.
    route!(GET "/containers/json" => containers::list::list),
    route!(POST "/containers/create" => containers::create::create),
    route!(POST "/containers/prune" => containers::prune::prune),
    route!(GET "/containers/{}/json" => containers::inspect::inspect),
    route!(GET "/containers/{}/top" => containers::top::top),
    route!(GET "/containers/{}/logs" => containers::logs::logs),
    route!(GET "/containers/{}/stats" => containers::stats::stats),
    route!(POST "/containers/{}/start" => containers::start::start),
    route!(POST "/containers/{}/stop" => containers::stop::stop),
    route!(POST "/containers/{}/restart" => containers::restart::restart),
    route!(POST "/containers/{}/kill" => containers::kill::kill),
    route!(POST "/containers/{}/wait" => containers::wait::wait),
    route!(POST "/containers/{}/attach" => containers::attach::attach),
    route!(POST "/containers/{}/resize" => containers::resize::resize),
    route!(POST "/containers/{}/pause" => containers::pause::pause),
    route!(POST "/containers/{}/unpause" => containers::unpause::unpause),
    route!(POST "/containers/{}/update" => containers::update::update),
    route!(POST "/containers/{}/rename" => containers::rename::rename),
    route!(HEAD "/containers/{}/archive" => containers::archive::stat),
    route!(GET "/containers/{}/archive" => containers::archive::read),
    route!(PUT "/containers/{}/archive" => containers::archive::write),
    route!(GET "/containers/{}/export" => containers::export::export),
    route!(GET "/containers/{}/changes" => containers::changes::changes),
    route!(DELETE "/containers/{*}" => containers::remove::remove),
    // Execs.
    route!(POST "/containers/{}/exec" => exec::create::create),
    route!(POST "/exec/{}/start" => exec::start::start),
    route!(POST "/exec/{}/resize" => exec::resize::resize),
    route!(GET "/exec/{}/json" => exec::inspect::inspect),
    // Images.
    route!(GET "/images/json" => images::list::list),
    route!(GET "/images/get" => images::save::save_named),
    route!(POST "/images/load" => images::load::load),
    route!(POST "/images/prune" => images::prune::prune),
    route!(POST "/images/create" => images::create::create),
    route!(GET "/images/search" => images::search::search),
    route!(GET "/images/{*}/json" => images::inspect::inspect),
    route!(GET "/images/{*}/history" => images::history::history),
    route!(GET "/images/{*}/get" => images::save::save_one),
    route!(POST "/images/{*}/push" => images::push::push),
    route!(POST "/images/{*}/tag" => images::tag::tag),
    route!(DELETE "/images/{*}" => images::remove::remove),
    route!(POST "/commit" => images::commit::commit),
    // Registries.
    route!(POST "/auth" => registry::auth::check),
    route!(GET "/distribution/{*}/json" => registry::distribution::inspect),
    // Networks.
    route!(GET "/networks" => networks::list::list),
    route!(POST "/networks/create" => networks::create::create),
    route!(POST "/networks/prune" => networks::prune::prune),
    route!(GET "/networks/{}" => networks::inspect::inspect),
    route!(DELETE "/networks/{}" => networks::remove::remove),
    route!(POST "/networks/{}/connect" => networks::connect::connect),
    route!(POST "/networks/{}/disconnect" => networks::disconnect::disconnect),
    // Volumes.
    route!(GET "/volumes" => volumes::list::list),
    route!(POST "/volumes/create" => volumes::create::create),
    route!(POST "/volumes/prune" => volumes::prune::prune),
    route!(GET "/volumes/{}" => volumes::inspect::inspect),
    route!(DELETE "/volumes/{}" => volumes::remove::remove),
];

/// Answers one request.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Reply {
    let server = format!("Cove/{} (linux)", shared.host.daemon_version);
    match dispatch(shared, request).await {
        // dockerd finds no route before its middleware runs, so that this answer lacks the usual headers.
        Err(error @ Error::PageNotFound) => Reply::error(&error),
        Err(error) => identified(Reply::error(&error), &server),
        Ok(reply) => identified(reply, &server),
    }
}

async fn dispatch(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Reply, Error> {
    let (parts, body) = request.into_parts();
    let path = percent_decoded(parts.uri.path(), false);
    let (version_text, path) = ApiVersion::split_path(&path);
    if parts.method == Method::OPTIONS {
        ApiVersion::negotiate(version_text)?;
        return Ok(Reply::empty(StatusCode::OK));
    }
    let Some((target, params)) = find(&parts.method, path) else { return Err(Error::PageNotFound) };
    let version = ApiVersion::negotiate(version_text)?;
    let handler = match target {
        Target::Route(route) if version >= route.since => route.handler,
        Target::Route(_) => return Err(Error::PageNotFound),
        Target::NotYet(row) => return Err((row.why)(&params)),
    };
    let query = Query::parse(parts.uri.query().unwrap_or(""));
    handler(Call { shared, version, params, query, headers: parts.headers, body }).await
}

/// What a method and a path lead to.
enum Target {
    Route(&'static Route),
    NotYet(&'static not_yet::Row),
}

fn find(method: &Method, path: &str) -> Option<(Target, Vec<String>)> {
    let built = ROUTES.iter().filter(|route| route.method == method);
    built
        .map(|route| (Target::Route(route), route.path))
        .find_map(|(target, path_pattern)| Some((target, pattern::matched(path_pattern, path)?)))
        .or_else(|| {
            let rows = not_yet::ROWS.iter().filter(|row| row.method == method);
            rows.map(|row| (Target::NotYet(row), row.path))
                .find_map(|(target, path_pattern)| Some((target, pattern::matched(path_pattern, path)?)))
        })
}

/// Adds the headers that every answer of dockerd's middleware has. A hijack writes its own.
fn identified(reply: Reply, server: &str) -> Reply {
    let Reply::Http(mut response) = reply else { return reply };
    let headers = response.headers_mut();
    headers.insert("Api-Version", HeaderValue::from_static("1.51"));
    headers.insert("Docker-Experimental", HeaderValue::from_static("false"));
    headers.insert("Ostype", HeaderValue::from_static("linux"));
    if let Ok(server) = HeaderValue::from_str(server) {
        headers.insert(header::SERVER, server);
    }
    Reply::Http(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_header_is_the_newest_version() {
        assert_eq!(ApiVersion::MAX.to_string(), "1.51");
    }

    #[test]
    fn literal_paths_win_over_names() {
        let (Some((Target::Route(route), params)), method) = (find(&Method::GET, "/images/json"), Method::GET) else {
            panic!("no route");
        };
        assert_eq!((route.path, params.len()), ("/images/json", 0));
        let Some((Target::Route(route), params)) = find(&method, "/images/host:5000/a/b:1/json") else {
            panic!("no route");
        };
        assert_eq!((route.path, params), ("/images/{*}/json", vec!["host:5000/a/b:1".to_owned()]));
    }

    #[test]
    fn a_method_that_a_path_lacks_finds_nothing() {
        assert!(find(&Method::POST, "/info").is_none());
        assert!(find(&Method::HEAD, "/info").is_none());
    }
}
