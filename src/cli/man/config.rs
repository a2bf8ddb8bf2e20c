//! pinfold-config(5), made of `config.yaml`: the file that explains every key, and that the tests hold to the truth.

const KEYS: &str = include_str!("../../../config.yaml");

const BEFORE: &str = "\
.SH NAME
pinfold\\-config \\- the configuration of pinfold
.SH SYNOPSIS
/etc/pinfold/config.yaml
.SH DESCRIPTION
A YAML file, read at the start and again whenever it changes. All that can be set stands below, with its default where it
has one.
";

const AFTER: &str = "\
.SH ENVIRONMENT
Settings of the sections server, admin, store, api, engine, upstream, log, traces and limits can be given by the environment
too, which wins: server.listen is PINFOLD_SERVER_LISTEN. PINFOLD_LOG is short for PINFOLD_LOG_FILTER, and PINFOLD_CONFIG
names the file where a command is given no \\-\\-config.
.SH SEE ALSO
pinfold(1), pinfold\\-check\\-config(1), pinfold\\-reload(1), pinfold\\-serve(1)
";

pub(super) fn page() -> String {
    let title = format!(".TH pinfold\\-config 5 \"\" \"pinfold {}\"\n", env!("CARGO_PKG_VERSION"));
    let keys: String = KEYS.lines().map(|line| literally(line) + "\n").collect();
    format!("{title}{BEFORE}.SH KEYS\n.nf\n{keys}.fi\n{AFTER}")
}

/// A line that roff takes for what it is, though it may begin with a dot or hold a backslash.
fn literally(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_configuration_is_taken_for_a_command_of_roff() {
        assert_eq!(literally(".TH - 'x' \\n"), "\\&.TH \\- \\(aqx\\(aq \\en");
        let page = page();
        let keys = page.split(".nf\n").nth(1).and_then(|rest| rest.split("\n.fi\n").next()).unwrap();
        assert_eq!(keys.lines().count(), KEYS.lines().count());
        assert!(!keys.lines().any(|line| line.starts_with(['.', '\''])));
    }
}
