//! Which path leads where.

use std::{convert::Infallible, future::ready, sync::Arc};

use hyper::{HeaderMap, Method, body::Bytes, header::AUTHORIZATION, upgrade::OnUpgrade};
use warp::{
    Filter,
    filters::BoxedFilter,
    path::FullPath,
    reply::{Reply, Response},
};

use super::{
    Context,
    access::{SIGN_IN, SIGN_OUT, sign_out},
    assets, handshake, problem,
    problem::Problem,
    query, samples,
    serve::Visitor,
    status,
};

/// Every route, and an answer for everything else.
pub(super) fn routes(context: &Arc<Context>) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + use<> {
    let access = Arc::clone(&context.access);
    stream(context)
        .or(query_route(context, warp::path!("api" / "v1" / "samples").boxed(), samples::respond))
        .unify()
        .or(query_route(context, warp::path!("api" / "v1" / "schema").boxed(), |context, query| {
            Ok(status::schema(context, &query::schema_query(query)?))
        }))
        .unify()
        .or(query_route(context, warp::path!("api" / "v1" / "status").boxed(), |context, query| {
            query::no_query(query)?;
            Ok(status::status(context))
        }))
        .unify()
        .or(query_route(context, warp::path!("healthz").boxed(), |context, query| {
            query::no_query(query)?;
            Ok(status::health(context))
        }))
        .unify()
        .or(sign_in(context))
        .unify()
        .or(exactly(SIGN_OUT).and(warp::method()).map(|method: Method| sign_out(&method)))
        .unify()
        .or(files(context))
        .unify()
        .recover(move |rejection| ready(Ok(problem::unmatched(&rejection, &access.base_path()))))
        .unify()
}

/// A route that answers a GET by its query alone.
fn query_route(
    context: &Arc<Context>,
    path: BoxedFilter<()>,
    answer: fn(&Arc<Context>, &str) -> Result<Response, Problem>,
) -> BoxedFilter<(Response,)> {
    let context = Arc::clone(context);
    path.and(get_or_head())
        .and(raw_query())
        .map(move |query: String| answer(&context, &query).unwrap_or_else(Reply::into_response))
        .boxed()
}

fn stream(context: &Arc<Context>) -> BoxedFilter<(Response,)> {
    let context = Arc::clone(context);
    warp::path!("api" / "v1" / "stream")
        .and(get_or_head())
        .and(raw_query())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::ext::get::<Visitor>())
        .map(move |query: String, headers: HeaderMap, upgrade: Option<OnUpgrade>, visitor: Visitor| {
            handshake::accept(&context, &query, &headers, upgrade, visitor).unwrap_or_else(Reply::into_response)
        })
        .boxed()
}

fn sign_in(context: &Arc<Context>) -> BoxedFilter<(Response,)> {
    /// A token in a form, with room to spare.
    const LARGEST_FORM: u64 = 1024;
    let context = Arc::clone(context);
    // Nobody waits for the body of anything else: only what is posted has to come in time.
    let form = warp::post().and(warp::body::content_length_limit(LARGEST_FORM)).and(warp::body::bytes());
    exactly(SIGN_IN)
        .and(warp::method())
        .and(form.or(empty_body()).unify())
        .and(warp::ext::get::<Visitor>())
        .map(move |method: Method, form: Bytes, visitor: Visitor| {
            context.access.sign_in(&method, &form, visitor.caller)
        })
        .boxed()
}

/// This path, without a slash at its end.
fn exactly(path: &'static str) -> BoxedFilter<()> {
    warp::path::full()
        .and_then(move |asked: FullPath| {
            ready((asked.as_str() == path).then_some(()).ok_or_else(warp::reject::not_found))
        })
        .untuple_one()
        .boxed()
}

/// Of a GET, and of a form that is too long to have a token in it.
fn empty_body() -> impl Filter<Extract = (Bytes,), Error = Infallible> + Clone {
    warp::any().map(Bytes::new)
}

fn files(context: &Arc<Context>) -> BoxedFilter<(Response,)> {
    let context = Arc::clone(context);
    get_or_head()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Visitor>())
        .and_then(move |path: FullPath, headers: HeaderMap, visitor: Visitor| {
            // By a token or by a cookie; only who has the latter can do without it.
            let is_signed_in = visitor.caller.proof.is_some() && !headers.contains_key(AUTHORIZATION);
            let asset = hostcast_dashboard::find(path.as_str());
            let page = &context.in_force.get().page;
            let answer = asset.map(|asset| assets::respond(page, asset, &headers, is_signed_in));
            ready(answer.ok_or_else(warp::reject::not_found))
        })
        .boxed()
}

fn get_or_head() -> impl Filter<Extract = (), Error = warp::Rejection> + Clone {
    warp::get().or(warp::head()).unify()
}

fn raw_query() -> impl Filter<Extract = (String,), Error = Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}
