//! The part of HTTP/1.1 that the built-in gateway serves, and the health request to a command. Pure.
//!
//! One request a connection: every answer closes the connection.

use serde_json::Value;

/// A longer request head is refused.
pub(super) const REQUEST_BYTES_MAX: usize = 8 << 10;

const HEADERS_MAX: usize = 64;

/// The request to a command with `ready = "http"`.
pub(super) const HEALTH_REQUEST: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: hermes\r\nConnection: close\r\n\r\n";

/// The resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// `/health`
    Health,
    /// `/status`
    Status,
}

/// The method: whether the answer has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// `GET`
    Full,
    /// `HEAD`
    Omitted,
}

/// The parsing state of the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Incomplete.
    Partial,
    /// A request that we answer.
    Page(Page, Body),
    /// A request that we refuse with this status code.
    Refused(u16),
}

/// Parses a request.
pub(super) fn parse_request(bytes: &[u8]) -> Request {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Err(httparse::Error::TooManyHeaders) => return Request::Refused(431),
        Err(_) => return Request::Refused(400),
        Ok(_) if bytes.len() > REQUEST_BYTES_MAX => return Request::Refused(431),
        Ok(httparse::Status::Partial) => return Request::Partial,
        Ok(httparse::Status::Complete(_)) => {}
    }
    let target = request.path.unwrap_or_default();
    let page = match target.split('?').next() {
        Some("/health") => Page::Health,
        Some("/status") => Page::Status,
        _ => return Request::Refused(404),
    };
    match request.method {
        Some("GET") => Request::Page(page, Body::Full),
        Some("HEAD") => Request::Page(page, Body::Omitted),
        _ => Request::Refused(405),
    }
}

/// An answer in JSON.
pub(super) fn render_answer(code: u16, value: &Value, body: Body) -> Vec<u8> {
    let text = format!("{value}\n");
    let (length, phrase) = (text.len(), phrase(code));
    let allow = if code == 405 { "Allow: GET, HEAD\r\n" } else { "" };
    let mut answer = format!(
        "HTTP/1.1 {code} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\n{allow}Connection: close\r\n\r\n"
    );
    if body == Body::Full {
        answer.push_str(&text);
    }
    answer.into_bytes()
}

/// A refusal in JSON.
pub(super) fn refusal(code: u16) -> Vec<u8> {
    render_answer(code, &serde_json::json!({ "error": phrase(code) }), Body::Full)
}

fn phrase(code: u16) -> &'static str {
    match code {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "",
    }
}

/// The status code of an answer, once its first line has come; 0 if that is none.
pub(super) fn parse_status(bytes: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Err(httparse::Error::TooManyHeaders) | Ok(_) => response.code,
        Err(_) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", Request::Partial)]
    #[case("GET /hea", Request::Partial)]
    #[case("GET /health HTTP/1.1\r\nHost: x\r\n", Request::Partial)]
    #[case("GET /health HTTP/1.1\r\n\r\n", Request::Page(Page::Health, Body::Full))]
    #[case("GET /health?x=1 HTTP/1.0\r\n\r\n", Request::Page(Page::Health, Body::Full))]
    #[case("HEAD /status HTTP/1.1\r\nHost: x\r\n\r\n", Request::Page(Page::Status, Body::Omitted))]
    #[case("GET /other HTTP/1.1\r\n\r\n", Request::Refused(404))]
    #[case("POST /health HTTP/1.1\r\n\r\n", Request::Refused(405))]
    #[case("GET /health\r\n\r\n", Request::Refused(400))]
    #[case("\u{1}\r\n", Request::Refused(400))]
    fn requests_are_read(#[case] text: &str, #[case] expected: Request) {
        assert_eq!(parse_request(text.as_bytes()), expected);
    }

    #[test]
    fn a_request_of_any_length_or_width_ends_in_a_refusal() {
        let long = format!("GET /health HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_BYTES_MAX));
        assert_eq!(parse_request(long.as_bytes()), Request::Refused(431));
        let wide = format!("GET /health HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(parse_request(wide.as_bytes()), Request::Refused(431));
    }

    #[test]
    fn a_head_says_how_long_the_body_would_be() {
        let value = serde_json::json!({ "status": "ok" });
        let full = String::from_utf8(render_answer(200, &value, Body::Full)).expect("text");
        let head = String::from_utf8(render_answer(200, &value, Body::Omitted)).expect("text");
        assert_eq!(full, format!("{head}{{\"status\":\"ok\"}}\n"));
        assert!(head.contains("Content-Length: 16\r\n"), "{head}");
    }

    #[rstest]
    #[case("HTTP/1.1 2", None)]
    #[case("HTTP/1.1 200 OK\r\nA: b\r\n", Some(200))]
    #[case("HTTP/1.0 503 No\r\n\r\n", Some(503))]
    #[case("SSH-2.0-x\r\n", Some(0))]
    fn an_answers_status_is_read_from_its_first_line(
        #[case] text: &str,
        #[case] expected: Option<u16>,
    ) {
        assert_eq!(parse_status(text.as_bytes()), expected);
    }
}
