//! A probe's report for people.

use comfy_table::{Cell, Color};

use crate::{
    app::probe::{Line, Report, Verdict},
    cli::table::{Look, lines, table},
};

pub(super) fn page(report: &Report, look: Look) -> String {
    let mut checks = table(look, ["check", "preset says", "seen", "verdict"]);
    for line in &report.lines {
        let says = line.says.clone().unwrap_or_else(|| "-".to_owned());
        checks.add_row([
            Cell::new(line.check),
            Cell::new(says),
            Cell::new(&line.seen),
            verdict(line.verdict, look),
        ]);
    }
    let mut page = lines(&checks);
    page += &format!("\n{} calls", report.calls);
    for latency in &report.latencies {
        let millis = latency.median.as_millis();
        page += &format!("; {} {millis} ms ({})", latency.route.as_str(), latency.calls);
    }
    page += "\n";
    page.extend(report.limits.iter().map(|(name, value)| format!("{name}: {value}\n")));
    let bad: Vec<String> = report.lines.iter().filter_map(advice).collect();
    if !bad.is_empty() {
        page += &format!("\nto do\n{}", bad.concat());
    }
    if report.stopped {
        page += "\nit was stopped before it was through\n";
    }
    if !report.left.is_empty() {
        page += "\nleft behind, remove by hand\n";
        page.extend(report.left.iter().map(|what| format!("  - {what}\n")));
    }
    page
}

fn advice(line: &Line) -> Option<String> {
    line.advice.as_ref().map(|advice| format!("  - {}: {advice}\n", line.check))
}

fn verdict(verdict: Verdict, look: Look) -> Cell {
    let cell = Cell::new(verdict.as_str());
    let colour = match verdict {
        Verdict::Ok => Color::Green,
        Verdict::Learned => Color::Cyan,
        Verdict::Differs => Color::Yellow,
        Verdict::Failed => Color::Red,
        Verdict::Noted | Verdict::Untold => return cell,
    };
    if look.colours { cell.fg(colour) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_line_has_a_sentence_on_what_to_do() {
        let line = |check, verdict: Verdict| Line {
            check,
            says: None,
            seen: "seen".to_owned(),
            verdict,
            advice: verdict.is_bad().then(|| "mend it".to_owned()),
        };
        let lines = vec![line("good", Verdict::Ok), line("bad", Verdict::Differs)];
        let report = Report { lines, calls: 7, left: vec!["the pin x".to_owned()], ..Report::default() };
        let page = page(&report, Look::PLAIN);
        assert!(page.contains("to do\n  - bad: mend it\n") && !page.contains("good: "), "{page}");
        assert!(page.contains("7 calls") && page.contains("  - the pin x\n"), "{page}");
        assert!(!page.contains('\u{1b}'));
    }
}
