//! One diagnostic as plain data: everything a message to the user consists of,
//! with its own copy of the source. It can be sent between threads, rendered
//! for a terminal ([`Report::render`]) or for a program ([`Report::to_json`]).
//!
//! Left out: how Rhai errors become reports; see `diagnose`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
    SourceSpan,
};

use super::source::Source;
use crate::abi::Errno;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The script cannot go on, or an expectation failed.
    Error,
    /// It went on, but something is suspicious.
    Warning,
    /// Context of another report.
    Advice,
}

/// A marked range of the report's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// What is said about them; may be empty.
    pub text: String,
}

/// One call on the way to the mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function that was called; empty for an import.
    pub function: String,
    /// The source the call stands in.
    pub source: String,
    /// The line of the call, from 1; 0 when unknown.
    pub line: usize,
    /// The column of the call in characters, from 1; 0 when unknown.
    pub column: usize,
}

/// What the kernel said when it refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelReason {
    /// The error.
    pub errno: Errno,
    /// The refused call: `setuid(0)`.
    pub call: String,
    /// The pid of the task that made it.
    pub task: i64,
    /// Which check refused it, in a sentence.
    pub why: String,
    /// The Linux function that checks this; may be empty.
    pub origin: String,
}

/// A diagnostic.
#[derive(Clone)]
pub struct Report {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name of this kind of report: `forkyard::syntax`.
    pub code: &'static str,
    /// The message, one sentence.
    pub message: String,
    /// The text the labels point into.
    pub source: Option<Arc<Source>>,
    /// Marked ranges; the first is the place of the mistake.
    pub labels: Vec<Label>,
    /// The calls on the way there, innermost first.
    pub calls: Vec<Frame>,
    /// The kernel's reason, if it refused something.
    pub kernel: Option<KernelReason>,
    /// What to do about it.
    pub help: Vec<String>,
    /// Further facts.
    pub notes: Vec<String>,
    /// Reports that belong to this one: calls in other files, further mistakes.
    pub related: Vec<Report>,
    named: Option<NamedSource<Arc<str>>>,
}

impl Report {
    /// A new error without a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Report {
        Report {
            severity: Severity::Error,
            code,
            message: printable(&message.into()),
            source: None,
            labels: Vec::new(),
            calls: Vec::new(),
            kernel: None,
            help: Vec::new(),
            notes: Vec::new(),
            related: Vec::new(),
            named: None,
        }
    }

    /// The same with another severity.
    pub fn severity(mut self, severity: Severity) -> Report {
        self.severity = severity;
        self
    }

    /// Sets the source that labels point into.
    pub fn with_source(mut self, source: &Arc<Source>) -> Report {
        self.named = Some(NamedSource::new(source.name(), source.text().clone()));
        self.source = Some(source.clone());
        self
    }

    /// Adds a label.
    pub fn label(mut self, span: Range<usize>, text: impl Into<String>) -> Report {
        self.labels.push(Label { span, text: printable(&text.into()) });
        self
    }

    /// Adds a line of help.
    pub fn help(mut self, text: impl Into<String>) -> Report {
        self.help.push(printable(&text.into()));
        self
    }

    /// Adds a fact.
    pub fn note(mut self, text: impl Into<String>) -> Report {
        self.notes.push(printable(&text.into()));
        self
    }

    /// File, line and column of the mistake, if it has a place.
    pub fn place(&self) -> Option<(&str, usize, usize)> {
        let source = self.source.as_ref()?;
        let (line, column) = source.line_column(self.labels.first()?.span.start);
        Some((source.name(), line, column))
    }

    /// The report as text. The same report gives the same text everywhere: the
    /// width is fixed, colours come only when asked for.
    pub fn render(&self, style: Style) -> String {
        let theme = match style {
            Style::Plain => GraphicalTheme::unicode_nocolor(),
            Style::Coloured => GraphicalTheme::unicode(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(WIDTH)
            .with_links(false)
            .tab_width(4)
            .with_context_lines(1)
            .without_syntax_highlighting();
        let mut text = String::new();
        if handler.render_report(&mut text, self).is_err() {
            // Only a span outside its source can do this; the message remains.
            text = format!("{}\n  × {}\n", self.code, self.message);
        }
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n").trim_matches('\n').to_string() + "\n"
    }
}

/// Columns of a rendered report.
const WIDTH: usize = 80;

/// How a report is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without escape codes.
    Plain,
    /// With colours, for a terminal.
    Coloured,
}

impl Severity {
    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        }
    }
}

/// Text from a script, made safe for a terminal: control characters are
/// escaped, line ends stay.
pub fn printable(text: &str) -> String {
    let plain = |c: char| c == '\n' || !c.is_control();
    if text.chars().all(plain) {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if plain(c) { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out
}

/// The kernel's reason, as the cause of the error in the rendered report.
#[derive(Debug)]
struct Why<'r>(&'r KernelReason);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.0.why))?;
        if !self.0.origin.is_empty() {
            write!(f, " ({})", self.0.origin)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(kernel) = &self.kernel {
            write!(f, "\nbecause {}", Why(kernel))?;
        }
        for note in &self.notes {
            write!(f, "\n{note}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\n")?;
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        // A report that only gives context has no heading of its own.
        let named = self.severity != Severity::Advice;
        named.then(|| Box::new(self.code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(self.help.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.named.as_ref().map(|s| s as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref().filter(|_| !self.labels.is_empty())?;
        Some(Box::new(self.labels.iter().enumerate().map(|(i, label)| {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            let span = SourceSpan::from((label.span.start, label.span.len()));
            match i {
                0 => LabeledSpan::new_primary_with_span(text, span),
                _ => LabeledSpan::new_with_span(text, span),
            }
        })))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        Some(Box::new(self.related.iter().map(|r| r as &dyn Diagnostic)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::script) fn example() -> Report {
        let text = "let a = 1;\n\tinit.setuid(漢字, b);\n";
        let source = Arc::new(Source::new("x.rhai", text));
        let at = text.find("setuid").unwrap();
        Report::error("forkyard::refused", "EPERM: setuid(0) by task 1 refused")
            .with_source(&source)
            .label(at..at + "setuid(漢字, b)".len(), "refused here")
            .label(4..5, "")
            .help("do something else")
            .note("and a fact")
    }

    #[test]
    fn renders_the_same_everywhere() {
        let mut report = example();
        report.kernel = Some(KernelReason {
            errno: Errno::EPERM,
            call: "setuid(0)".into(),
            task: 1,
            why: "the task lacks CAP_SETUID".into(),
            origin: "__sys_setuid".into(),
        });
        let expected = "\
forkyard::refused

  × EPERM: setuid(0) by task 1 refused
  │ because the task lacks CAP_SETUID (__sys_setuid)
  │ and a fact
   ╭─[x.rhai:2:7]
 1 │ let a = 1;
   ·     ─
 2 │     init.setuid(漢字, b);
   ·          ───────┬───────
   ·                 ╰── refused here
   ╰────
  help: do something else
";
        assert_eq!(report.render(Style::Plain), expected);
    }

    #[test]
    fn scripts_cannot_drive_the_terminal() {
        let report = Report::error("forkyard::thrown", "a\u{1b}[31mb\u{9b}c").help("x\u{7}");
        assert!(!report.render(Style::Plain).contains(['\u{1b}', '\u{9b}', '\u{7}']));
        assert!(!report.to_json().to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_label_outside_the_source_does_no_harm() {
        let source = Arc::new(Source::new("x", "ab"));
        let report = Report::error("forkyard::x", "msg").with_source(&source).label(7..9, "l");
        assert!(report.render(Style::Plain).contains("msg"));
    }
}
