//! Problems drawn for people: an excerpt of the file with the place marked, all values covered that may be secret.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::problem::{Problem, Problems};

impl Problems {
    /// Several lines for each problem, with an excerpt where there is one to show; for terminals.
    pub fn drawn(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme);
        let source = NamedSource::new(&self.file, self.covered.clone());
        let mut text = String::new();
        for problem in &self.list {
            let drawing = Drawing { problem, source: &source, excerpt: !self.covered.is_empty() };
            if handler.render_report(&mut text, &drawing).is_err() {
                return self.to_string();
            }
        }
        text
    }
}

struct Drawing<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
    excerpt: bool,
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(spot), false) = (&self.problem.spot, self.excerpt) {
            write!(f, "{}:{}:{}: ", self.source.name(), spot.line, spot.column)?;
        }
        if !self.problem.path.is_empty() {
            write!(f, "{}: ", self.problem.path)?;
        }
        f.write_str(&self.problem.what)
    }
}

impl fmt::Debug for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Drawing<'_> {}

impl Diagnostic for Drawing<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.problem.help.is_empty()).then(|| Box::new(&self.problem.help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.then_some(self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let spot = self.problem.spot.as_ref()?;
        let first_line = self.source.inner()[spot.bytes.clone()].lines().next().map_or(0, str::len);
        let span = LabeledSpan::new(Some("here".to_owned()), spot.bytes.start, first_line);
        Some(Box::new(std::iter::once(span)))
    }
}
