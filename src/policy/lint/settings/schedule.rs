//! Schedules of backup rules: `cron(…)` and `rate(…)` as EventBridge reads them.
//!
//! Source: EventBridge user guide, "Setting a schedule pattern for scheduled rules"; aws-backup "BackupRule".

/// A field of a cron expression: its name, its numbers, its words, the signs that it takes besides `*`, `,`, `-`, `/`.
struct Field {
    name: &'static str,
    numbers: std::ops::RangeInclusive<u32>,
    words: &'static [&'static str],
    signs: &'static str,
}

const fn field(
    name: &'static str,
    first: u32,
    last: u32,
    words: &'static [&'static str],
    signs: &'static str,
) -> Field {
    Field { name, numbers: first..=last, words, signs }
}

const FIELDS: [Field; 6] = [
    field("minutes", 0, 59, &[], ""),
    field("hours", 0, 23, &[], ""),
    field("day of month", 1, 31, &[], "?LW"),
    field("month", 1, 12, &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], ""),
    field("day of week", 1, 7, &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], "?L#"),
    field("year", 1970, 2199, &[], ""),
];

/// Whether a schedule can be read; `Err` says why not.
pub(super) fn check(text: &str) -> Result<(), String> {
    let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(rate) = inner("rate") {
        return if is_rate(rate) {
            Ok(())
        } else {
            Err(format!("`{text}` is no rate: it is `rate(5 hours)`, `rate(1 day)`"))
        };
    }
    let Some(cron) = inner("cron") else {
        return Err(format!("`{text}` is neither `cron(…)` nor `rate(…)`"));
    };
    let parts: Vec<&str> = cron.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("a cron expression of AWS has six fields, and `{text}` has {}", parts.len()));
    }
    for (part, field) in parts.iter().zip(&FIELDS) {
        if !part.split(',').all(|one| field.takes(one)) {
            return Err(format!("`{part}` is no {} of a cron expression", field.name));
        }
    }
    let unset = parts.iter().filter(|part| **part == "?").count();
    match unset {
        1 => Ok(()),
        0 => Err("one of day of month and day of week has to be `?`".to_owned()),
        _ => Err("only one of day of month and day of week can be `?`".to_owned()),
    }
}

fn is_rate(text: &str) -> bool {
    let Some((number, unit)) = text.split_once(' ') else { return false };
    let units = if number == "1" { ["minute", "hour", "day"] } else { ["minutes", "hours", "days"] };
    number.parse::<u32>().is_ok_and(|number| number > 0) && units.contains(&unit)
}

impl Field {
    fn takes(&self, text: &str) -> bool {
        let sign = |sign: char| self.signs.contains(sign);
        if text == "*" || (text == "?" && sign('?')) || (text == "L" && sign('L')) || (text == "LW" && sign('W')) {
            return true;
        }
        let step = |step: &str| step.parse::<u32>().is_ok_and(|step| step > 0);
        if let Some((from, by)) = text.split_once('/') {
            return step(by) && (from == "*" || self.is_range(from));
        }
        if let Some((day, week)) = text.split_once('#').filter(|_| sign('#')) {
            return self.is_one(day) && week.parse::<u32>().is_ok_and(|week| (1..=5).contains(&week));
        }
        let stem = text.strip_suffix(['L', 'W'].as_slice()).filter(|_| text.ends_with(self.signs_at_end().as_slice()));
        stem.is_some_and(|stem| self.is_one(stem)) || self.is_range(text)
    }

    fn signs_at_end(&self) -> Vec<char> {
        self.signs.chars().filter(|sign| matches!(sign, 'L' | 'W')).collect()
    }

    fn is_range(&self, text: &str) -> bool {
        match text.split_once('-') {
            Some((from, to)) => self.is_one(from) && self.is_one(to),
            None => self.is_one(text),
        }
    }

    fn is_one(&self, text: &str) -> bool {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (digits && text.parse().is_ok_and(|number| self.numbers.contains(&number)))
            || self.words.iter().any(|word| word.eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_aws_reads_them() {
        for good in [
            "cron(0 5 ? * * *)",
            "cron(0 5/1 ? * * *)",
            "cron(15 10 ? * 6L 2022-2023)",
            "cron(0 18 ? * MON-FRI *)",
            "cron(0 8 1 * ? *)",
            "cron(0/15 * * * ? *)",
            "cron(0 9 LW * ? *)",
            "cron(0 9 3W JAN,jul ? *)",
            "cron(0 9 ? * 3#2 *)",
            "rate(1 day)",
            "rate(12 hours)",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("cron(0 5 * * *)", "six fields"),
            ("cron(0 5 * * * *)", "has to be `?`"),
            ("cron(0 5 ? * ? *)", "only one"),
            ("cron(60 5 ? * * *)", "`60` is no minutes"),
            ("cron(0 24 ? * * *)", "no hours"),
            ("cron(0 5 ? 13 * *)", "no month"),
            ("cron(0 5 ? * 8 *)", "no day of week"),
            ("cron(0 5L ? * * *)", "no hours"),
            ("cron(0 5 ? * 2W *)", "no day of week"),
            ("cron(0 5,, ? * * *)", "no hours"),
            ("cron(0 5 ? * * 1)", "no year"),
            ("rate(1 days)", "no rate"),
            ("rate(0 days)", "no rate"),
            ("rate(2 hour)", "no rate"),
            ("0 5 ? * * *", "neither"),
            ("cron(0 5 ? * * *", "neither"),
        ] {
            assert!(check(bad).is_err_and(|said| said.contains(why)), "{bad}: {:?}", check(bad));
        }
    }
}
