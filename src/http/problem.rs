//! Errors as RFC 9457 problem documents.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::Value;
use serde_json::json;

use crate::http::meter::Refused;

/// A problem: status, sentence, and further members.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    more: Value,
    refused: Option<Refused>,
    retry_after_seconds: Option<u16>,
}

impl Problem {
    /// A problem with a sentence for the caller.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            more: Value::Null,
            refused: None,
            retry_after_seconds: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        }
    }

    /// With further members.
    #[must_use]
    pub fn with(self, more: Value) -> Self {
        Self { more, ..self }
    }

    /// With the reason under which it is counted.
    #[must_use]
    pub fn because(self, reason: Refused) -> Self {
        Self {
            refused: Some(reason),
            ..self
        }
    }

    /// With the time after which the client may try again.
    #[must_use]
    pub fn retry_after(self, seconds: u16) -> Self {
        Self {
            retry_after_seconds: Some(seconds),
            ..self
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), self.more) {
            body.extend(more);
        }
        let mut response = (self.status, Json(body)).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(reason) = self.refused {
            response.extensions_mut().insert(reason);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
