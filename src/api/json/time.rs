//! Prints `created` without a calendar library in between: a page holds a thousand of them.

use crate::model::Timestamp;

const DAY: i64 = 86_400_000;
/// What RFC 3339 can write in four digits of a year.
const WRITABLE: std::ops::Range<i64> = -62_167_219_200_000..253_402_300_800_000;

/// As the timestamp's own `Display`, byte for byte.
pub fn write(out: &mut Vec<u8>, at: Timestamp) {
    let millis = at.as_millis();
    if !WRITABLE.contains(&millis) {
        out.extend_from_slice(at.to_string().as_bytes());
        return;
    }
    let (year, month, day) = civil(millis.div_euclid(DAY));
    let of_day = millis.rem_euclid(DAY);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], of_day / 3_600_000);
    put(&mut text[14..16], of_day / 60_000 % 60);
    put(&mut text[17..19], of_day / 1000 % 60);
    put(&mut text[20..23], of_day % 1000);
    out.extend_from_slice(&text);
}

fn put(digits: &mut [u8], mut number: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01: Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>), which counts years from March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(millis: i64) -> String {
        let mut out = Vec::new();
        write(&mut out, Timestamp::from_millis(millis));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn leap_days_and_the_edges_are_right() {
        assert_eq!(written(1_595_871_148_276), "2020-07-27T17:32:28.276Z");
        assert_eq!(written(1_582_934_400_000), "2020-02-29T00:00:00.000Z");
        for millis in [0, -1, WRITABLE.start, WRITABLE.start - 1, WRITABLE.end - 1, WRITABLE.end, i64::MAX] {
            assert_eq!(written(millis), Timestamp::from_millis(millis).to_string());
        }
    }

    proptest! {
        #[test]
        fn it_says_what_the_timestamp_itself_says(millis in WRITABLE) {
            prop_assert_eq!(written(millis), Timestamp::from_millis(millis).to_string());
        }
    }
}
