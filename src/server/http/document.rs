//! RDF in the body of a request: one document, or several as a form's files.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header;
use oxrdfio::{RdfFormat, RdfParser, RdfSyntaxError};

use super::Call;
use super::problem::Problem;
use super::request::{content_type, header_text, media_type_of, read_bytes};
use crate::engine::{Request, quads_of};
use crate::execute::GraphLoader;
use crate::model::NamedNode;

/// What LOAD calls the body of its request.
pub(super) const BODY: &str = "request:body";

const MULTIPART: &str = "multipart/form-data";
const UNDERSTOOD: &[&str] =
    &["text/turtle", "application/n-triples", "application/rdf+xml", "application/ld+json", MULTIPART];

/// The documents of a body, not parsed yet: that is work for a query thread.
pub(super) struct Documents {
    base: String,
    documents: Vec<(RdfFormat, Bytes)>,
}

impl Documents {
    /// Reads a body whose relative IRIs are relative to `base`.
    ///
    /// # Errors
    /// 415 for what is no RDF; 413 and 400 as [`read_bytes`] has it.
    pub async fn read(call: &Call, body: Body, base: String) -> Result<Documents, Problem> {
        let headers = &call.parts.headers;
        let media_type = content_type(headers, UNDERSTOOD)?;
        if media_type != MULTIPART {
            let format = format_of(&media_type)?;
            let bytes = read_bytes(headers, body, call.app.options.body_bytes_max).await?;
            return Ok(Documents { base, documents: vec![(format, bytes)] });
        }
        let content_type = header_text(headers, header::CONTENT_TYPE).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
        let bytes = read_bytes(headers, body, call.app.options.body_bytes_max).await?;
        Ok(Documents { base, documents: files(bytes, boundary).await? })
    }

    /// Parses the documents; the request's LOAD of [`BODY`] then finds their triples.
    ///
    /// # Errors
    /// 400 with line and column.
    pub fn parse(self, request: &mut Request) -> Result<(), Problem> {
        let mut quads = Vec::new();
        for (format, bytes) in &self.documents {
            let parser = RdfParser::from_format(*format)
                .without_named_graphs()
                .rename_blank_nodes()
                .with_base_iri(&self.base)
                .map_err(|error| Problem::bad_request("INVALID_IRI", error.to_string()))?;
            for quad in quads_of(parser, bytes) {
                quads.push(quad.map_err(fault)?);
            }
        }
        request.loader = Some(Arc::new(Parsed(quads)));
        Ok(())
    }
}

struct Parsed(Vec<oxrdf::Quad>);

impl GraphLoader for Parsed {
    fn load(&self, source: &NamedNode) -> Result<Vec<oxrdf::Quad>, String> {
        match source.as_str() {
            BODY => Ok(self.0.clone()),
            _ => Err("only the request's own body can be loaded".to_owned()),
        }
    }
}

async fn files(bytes: Bytes, boundary: String) -> Result<Vec<(RdfFormat, Bytes)>, Problem> {
    let stream = futures::stream::once(async { Ok::<Bytes, std::convert::Infallible>(bytes) });
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut documents = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(malformed)? {
        let content_type = header_text(part.headers(), header::CONTENT_TYPE).unwrap_or_default();
        let format = format_of(&media_type_of(&content_type, UNDERSTOOD)?)?;
        documents.push((format, part.bytes().await.map_err(malformed)?));
    }
    Ok(documents)
}

fn format_of(media_type: &str) -> Result<RdfFormat, Problem> {
    RdfFormat::from_media_type(media_type).ok_or_else(|| Problem::unsupported(media_type, UNDERSTOOD))
}

fn malformed(error: multer::Error) -> Problem {
    Problem::bad_request("INVALID_BODY", format!("the form cannot be read: {error}"))
}

fn fault(error: RdfSyntaxError) -> Problem {
    let mut problem = Problem::bad_request("MALFORMED_RDF", error.to_string());
    problem.place = error.location().map(|at| (at.start.line as u32 + 1, at.start.column as u32 + 1));
    problem
}
