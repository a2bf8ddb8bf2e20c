//! Whether this process may open as many files as its settings let clients connect.

use std::fs;

use crate::config::Settings;

/// What everything but clients needs: the store, logs, providers, the admin listener.
const OTHERS: u64 = 1024;

/// Warns where connections would fail for want of descriptors. Says nothing where the system does not tell.
pub(super) fn check(settings: &Settings) {
    let Some(most) = fs::read_to_string("/proc/self/limits").ok().and_then(|text| soft_limit(&text)) else {
        return;
    };
    let wanted = u64::try_from(settings.server.max_connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    if most < wanted {
        tracing::warn!(
            most,
            wanted,
            "this process may open fewer files than server.max_connections needs: raise its limit (LimitNOFILE=, ulimit -n), or lower that"
        );
    }
}

/// `None`: there is none.
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read_and_none_is_none() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             95805                95805                processes \n\
                      Max open files            1024                 20000                files     \n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(
            soft_limit("Max open files            unlimited            unlimited            files"),
            None
        );
        assert_eq!(soft_limit(""), None);
    }
}
