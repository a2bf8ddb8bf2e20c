//! A failure that comes again and again is told of once, and so is its end.

/// Whether something that is tried over and over fails now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repeats {
    fails: bool,
}

impl Repeats {
    /// It failed; returns whether it did not before.
    pub fn failed(&mut self) -> bool {
        !std::mem::replace(&mut self.fails, true)
    }

    pub fn fails(&self) -> bool {
        self.fails
    }

    /// It worked; returns whether it had failed before.
    pub fn worked(&mut self) -> bool {
        std::mem::replace(&mut self.fails, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_news_once_and_so_is_its_end() {
        let mut repeats = Repeats::default();
        assert!(!repeats.worked());
        assert_eq!([repeats.failed(), repeats.failed()], [true, false]);
        assert_eq!([repeats.worked(), repeats.worked()], [true, false]);
        assert!(repeats.failed());
    }
}
