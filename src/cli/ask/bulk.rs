//! `bylaw can --requests`: many requests, one organization.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::can::{self, AuthorizationOutput, Can, Form};
use super::reasons::depends_on;
use super::words::{self, RulingOutput};
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::cli::failure::Failure;
use crate::cli::files::plainly;
use crate::cli::show::safe::plain;
use crate::cli::terminal::Terminal;
use crate::judge::requests::{AskedRequest, Desk, Unanswerable};
use crate::judge::{Answer, Principal, Question, Verdict};

/// Longest line that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// One line of `bylaw can --requests -o jsonl`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// Number of the request's line, from 1.
    line: u64,
    /// The request's `id`.
    id: Option<&'a str>,
    /// `allowed`, `denied` or `depends`; null where the line is no request that can be answered.
    decision: Option<&'static str>,
    /// Only the declared policies were asked: what no manifest declares may decide otherwise.
    declared_only: bool,
    /// The account: of who asks, or of the resource where who asks is of no account of the organization.
    account: Option<&'a str>,
    /// The action.
    action: Option<&'a str>,
    /// The actions by which policies know it, where it is the name of a call and of no action.
    asked_as: Vec<String>,
    /// The resource, if it was told.
    resource: Option<&'a str>,
    /// Who asks, if that was told.
    principal: Option<&'a str>,
    /// Condition keys (and `resource`, `action`, `resource policy`) that it hangs on.
    depends_on: Vec<String>,
    /// The authorization of the call that decides, or the first that is not surely allowed.
    decided_on: Option<AuthorizationOutput>,
    /// The statement that denied, if one did.
    decided_by: Option<RulingOutput>,
    /// The node at which nothing allows, where that is why it is denied.
    stopped_at: Option<String>,
    /// Kinds of policies that were brought along and do not allow.
    lacking: Vec<&'static str>,
    /// What else has to allow it and was not asked.
    unasked: Option<&'static str>,
    /// What was taken for so without being told.
    assumed: Option<&'static str>,
    /// Why the line cannot be answered.
    error: Option<ErrorOutput>,
}

/// Why a line cannot be answered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ErrorOutput {
    /// What is wrong.
    message: String,
    /// What to do.
    help: String,
    /// Column of the line, from 1, where it is no JSON, or no request.
    column: Option<usize>,
}

impl<'a> RequestOutput<'a> {
    fn none(line: u64, id: Option<&'a str>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            line,
            id,
            decision: None,
            declared_only: false,
            account: None,
            action: None,
            asked_as: vec![],
            resource: None,
            principal: None,
            depends_on: vec![],
            decided_on: None,
            decided_by: None,
            stopped_at: None,
            lacking: vec![],
            unasked: None,
            assumed: None,
            error: None,
        }
    }

    fn of(
        line: u64,
        id: Option<&'a str>,
        declared_only: bool,
        question: &'a Question<'_>,
        answer: &Answer<'_>,
    ) -> Self {
        let deciding = answer.deciding();
        let verdict = deciding.map(|part| &part.verdict);
        Self {
            decision: Some(words::decision(answer.decision)),
            declared_only,
            account: Some(question.account.as_str()),
            action: Some(question.action.as_str()),
            asked_as: answer.asked_as.clone(),
            resource: question.resource,
            principal: question.principal.map(Principal::arn),
            depends_on: depends_on(answer).into_iter().collect(),
            decided_on: deciding.map(AuthorizationOutput::of),
            decided_by: verdict.and_then(Verdict::denied).map(RulingOutput::of),
            stopped_at: verdict.and_then(|verdict| verdict.stopped_at).map(|node| node.id.to_string()),
            lacking: verdict
                .map_or_else(Vec::new, |verdict| verdict.lacking.iter().map(|one| words::layer(*one)).collect()),
            unasked: verdict.and_then(|verdict| verdict.unasked),
            assumed: verdict.and_then(|verdict| verdict.assumed),
            ..Self::none(line, id)
        }
    }
}

/// Answers each line as it is read. The exit code: 0, or 1 where a line could not be answered.
///
/// # Errors
/// The requests or the organization cannot be read.
pub async fn run(asked: &Can, requests: &Path, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    if asked.output != Form::Jsonl {
        return Err(Failure::new("many requests are answered one a line", "write `-o jsonl`"));
    }
    let shown = plain(&requests.display().to_string());
    let unreadable = |error: &io::Error| {
        Failure::new(format!("`{shown}` cannot be read: {}", plainly(error)), "name a file, or `-`")
    };
    let source: Box<dyn Read> = if requests.as_os_str() == "-" {
        if asked.asked.manifests.files.iter().any(|file| file.as_os_str() == "-") {
            return Err(Failure::new(
                "standard input is named twice, by `-f` and by `--requests`",
                "name a file for one of the two",
            ));
        }
        // Not locked: reading the manifests takes the lock as well.
        Box::new(io::stdin())
    } else {
        let file = File::open(requests).map_err(|error| unreadable(&error))?;
        if file.metadata().is_ok_and(|about| about.is_dir()) {
            return Err(Failure::new(format!("`{shown}` is a directory"), "name a file, or `-`"));
        }
        Box::new(file)
    };
    let ground = asked.asked.ground(terminal).await?;
    let mut desk = Desk::with_files(&ground.forest, can::policy_file);
    let mut lines = BufReader::with_capacity(1 << 16, source);
    let mut text: Vec<u8> = vec![];
    let (mut number, mut wrong) = (0_u64, 0_u64);
    loop {
        text.clear();
        let read = (&mut lines).take(LONGEST).read_until(b'\n', &mut text).map_err(|error| unreadable(&error))?;
        if read == 0 {
            break;
        }
        number += 1;
        let whole = text.ends_with(b"\n") || text.len() < usize::try_from(LONGEST).unwrap_or(usize::MAX);
        if !whole {
            skip_line(&mut lines).map_err(|error| unreadable(&error))?;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let answered = if whole {
            answer(&mut desk, ground.forest.declared_only, number, &text, out)?
        } else {
            let help = "a request has at most 1 MiB";
            fail(number, None, "the line is too long".to_owned(), help.to_owned(), None, out)?;
            false
        };
        wrong += u64::from(!answered);
        // Who waits for the answer before asking on gets it.
        if lines.buffer().is_empty() {
            out.flush()?;
        }
    }
    out.flush()?;
    if wrong > 0 {
        let word = if wrong == 1 { "line is no request" } else { "lines are no requests" };
        terminal.warn(&format!("{wrong} {word} that can be answered: their records have `error`"));
    }
    Ok(u8::from(wrong > 0))
}

fn skip_line(lines: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = lines.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (used, done) = (end.map_or(buffer.len(), |at| at + 1), end.is_some() || buffer.is_empty());
        lines.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// Whether the line was answered.
fn answer(desk: &mut Desk<'_>, declared_only: bool, line: u64, text: &[u8], out: &mut dyn Write) -> io::Result<bool> {
    let asked: AskedRequest = match serde_json::from_slice(text) {
        Ok(asked) => asked,
        Err(error) => {
            let message = error.to_string();
            // The line of the text is always the first.
            let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message).to_owned();
            let help = "write one object a line, such as {\"account\": \"dev\", \"action\": \"s3:GetObject\"}";
            fail(line, None, message, help.to_owned(), Some(error.column()).filter(|column| *column > 0), out)?;
            return Ok(false);
        }
    };
    let id = asked.id.as_deref();
    let written = desk.decide(&asked, |question, answer| {
        write_line(&RequestOutput::of(line, id, declared_only, question, answer), out)
    });
    match written {
        Ok(written) => written.map(|()| true),
        Err(Unanswerable { message, help }) => fail(line, id, message, help, None, out).map(|()| false),
    }
}

fn fail(
    line: u64,
    id: Option<&str>,
    message: String,
    help: String,
    column: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let error = Some(ErrorOutput { message, help, column });
    write_line(&RequestOutput { error, ..RequestOutput::none(line, id) }, out)
}

fn write_line(record: &RequestOutput<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}
