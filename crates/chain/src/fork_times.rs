//! Fork schedules in their textual form.

use codec::{UnknownFork, parse_fork};
use core::{fmt, str::FromStr};
use wire::ProtocolFork;

/// Fork schedule as text: `prague,osaka@+300,amsterdam@1800000000`.
///
/// The first fork is active from genesis; each further fork has the time of its activation. Forks
/// that the list skips are activated together with the next fork in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkTimes {
    /// The fork at genesis.
    pub first: ProtocolFork,
    /// Further forks, oldest first.
    pub later: Vec<(ProtocolFork, ForkTime)>,
}

/// Time at which a fork is activated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForkTime {
    /// Unix timestamp in seconds: `@1800000000`.
    At(u64),
    /// Seconds after the first block: `@+300`.
    After(u64),
    /// Block number, for a chain with a fixed block time: `@#25`.
    Block(u64),
}

/// Reason why a text is not a valid fork schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkTimesError {
    /// The name of a fork is unknown.
    #[error(transparent)]
    Fork(#[from] UnknownFork),
    /// A fork is older than the first one that can be scheduled.
    #[error("fork {got} cannot be scheduled, expected cancun or later")]
    TooEarly {
        /// The fork.
        got: ProtocolFork,
    },
    /// The first fork has a time.
    #[error("the first fork must be active from genesis on: got {got:?}, expected {expected}")]
    FirstWithTime {
        /// The text.
        got: String,
        /// The fork without its time.
        expected: ProtocolFork,
    },
    /// A fork after the first has no time.
    #[error(
        "{got} has no time, expected {got}@+SECONDS after genesis, {got}@TIMESTAMP or {got}@#BLOCK"
    )]
    WithoutTime {
        /// The fork.
        got: ProtocolFork,
    },
    /// A time is malformed.
    #[error(
        "{got:?} is not the time of a fork, expected +SECONDS after genesis, a Unix TIMESTAMP or #BLOCK"
    )]
    Time {
        /// The text.
        got: String,
    },
    /// Forks are out of order.
    #[error("{got} comes after {previous}, expected a fork later than {previous}")]
    ForkOrder {
        /// The fork.
        got: ProtocolFork,
        /// The fork before it in the list.
        previous: ProtocolFork,
    },
    /// Times are out of order.
    #[error("{fork} begins at {got}, expected a time after {previous}")]
    TimeOrder {
        /// The fork.
        fork: ProtocolFork,
        /// Its timestamp.
        got: u64,
        /// Timestamp of the previous fork, or of the first block.
        previous: u64,
    },
    /// A block number has no timestamp, because blocks have no fixed interval.
    #[error(
        "{fork} begins at block {number}: expected a block time, which gives block {number} a timestamp"
    )]
    NoBlockTime {
        /// The fork.
        fork: ProtocolFork,
        /// The block number.
        number: u64,
    },
}

impl ForkTimes {
    /// Creates a schedule with one fork.
    pub const fn constant(first: ProtocolFork) -> Self {
        Self { first, later: Vec::new() }
    }

    /// Returns the latest fork.
    pub fn last(&self) -> ProtocolFork {
        self.later.last().map_or(self.first, |(fork, _)| *fork)
    }

    /// Returns the timestamps of the forks after the first, for a chain whose first block has this
    /// number and timestamp and whose blocks have this interval, in seconds.
    ///
    /// # Errors
    ///
    /// [`ForkTimesError`] if the timestamps do not ascend, or if a block number has no timestamp.
    pub fn timestamps(
        &self,
        (first_number, start): (u64, u64),
        block_time: Option<u64>,
    ) -> Result<Vec<(ProtocolFork, u64)>, ForkTimesError> {
        let mut previous = start;
        let mut resolved = Vec::with_capacity(self.later.len());
        for &(fork, time) in &self.later {
            let got = match (time, block_time) {
                (ForkTime::At(timestamp), _) => timestamp,
                // Saturating: a time beyond the end of the clock is a fork that never comes, not an
                // error.
                (ForkTime::After(seconds), _) => start.saturating_add(seconds),
                (ForkTime::Block(number), Some(interval)) => start
                    .saturating_add(number.saturating_sub(first_number).saturating_mul(interval)),
                (ForkTime::Block(number), None) => {
                    return Err(ForkTimesError::NoBlockTime { fork, number });
                }
            };
            // Two forks at one timestamp would leave the first without a block.
            if got <= previous {
                return Err(ForkTimesError::TimeOrder { fork, got, previous });
            }
            previous = got;
            resolved.push((fork, got));
        }
        Ok(resolved)
    }
}

impl FromStr for ForkTimes {
    type Err = ForkTimesError;

    fn from_str(text: &str) -> Result<Self, ForkTimesError> {
        let mut schedule: Option<Self> = None;
        for part in text.split(',').map(str::trim) {
            let (name, time) = match part.split_once('@') {
                Some((name, time)) => (name, Some(time)),
                None => (part, None),
            };
            let fork = parse_fork(name)?;
            if fork < ProtocolFork::Cancun {
                return Err(ForkTimesError::TooEarly { got: fork });
            }
            match (&mut schedule, time) {
                (None, None) => schedule = Some(Self::constant(fork)),
                (None, Some(_)) => {
                    let got = part.to_owned();
                    return Err(ForkTimesError::FirstWithTime { got, expected: fork });
                }
                (Some(_), None) => return Err(ForkTimesError::WithoutTime { got: fork }),
                (Some(schedule), Some(time)) => {
                    let previous = schedule.last();
                    if fork <= previous {
                        return Err(ForkTimesError::ForkOrder { got: fork, previous });
                    }
                    schedule.later.push((fork, time.parse()?));
                }
            }
        }
        schedule.ok_or_else(|| UnknownFork(text.to_owned()).into())
    }
}

impl FromStr for ForkTime {
    type Err = ForkTimesError;

    fn from_str(text: &str) -> Result<Self, ForkTimesError> {
        let number = |digits: &str| {
            // `u64` parsing would also accept a sign.
            let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
            let malformed = || ForkTimesError::Time { got: text.to_owned() };
            is_number.then(|| digits.parse().ok()).flatten().ok_or_else(malformed)
        };
        Ok(match (text.strip_prefix('+'), text.strip_prefix('#')) {
            (Some(seconds), _) => Self::After(number(seconds)?),
            (_, Some(block)) => Self::Block(number(block)?),
            _ => Self::At(number(text)?),
        })
    }
}

impl fmt::Display for ForkTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        for (fork, time) in &self.later {
            write!(f, ",{fork}@{time}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ForkTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(timestamp) => write!(f, "{timestamp}"),
            Self::After(seconds) => write!(f, "+{seconds}"),
            Self::Block(number) => write!(f, "#{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolFork::{Amsterdam, Bpo2, Osaka, Prague};

    fn parse(text: &str) -> Result<ForkTimes, ForkTimesError> {
        text.parse()
    }

    #[test]
    fn fork_schedule_round_trips() {
        let text = "prague,osaka@+300,bpo2@#70,amsterdam@1800000000";
        let schedule = parse(text).unwrap();
        let later = [
            (Osaka, ForkTime::After(300)),
            (Bpo2, ForkTime::Block(70)),
            (Amsterdam, ForkTime::At(1_800_000_000)),
        ];
        assert_eq!(schedule, ForkTimes { first: Prague, later: later.to_vec() });
        assert_eq!(schedule.to_string(), text);
        assert_eq!(schedule.last(), Amsterdam);
        assert_eq!(parse("0x1201").unwrap(), ForkTimes::constant(Osaka));
    }

    #[test]
    fn fork_times_count_from_the_first_block() {
        let schedule = parse("prague,osaka@+300,bpo2@#70,amsterdam@1800").unwrap();
        let expected = [(Osaka, 1_300), (Bpo2, 1_600), (Amsterdam, 1_800)];
        assert_eq!(schedule.timestamps((10, 1_000), Some(10)).unwrap(), expected);
        assert_eq!(
            schedule.timestamps((10, 1_000), None),
            Err(ForkTimesError::NoBlockTime { fork: Bpo2, number: 70 })
        );
        let refused = |text, fork, got, previous| {
            let order = ForkTimesError::TimeOrder { fork, got, previous };
            assert_eq!(parse(text).unwrap().timestamps((0, 1_000), Some(1)), Err(order), "{text}");
        };
        refused("prague,osaka@+0", Osaka, 1_000, 1_000);
        refused("prague,osaka@999", Osaka, 999, 1_000);
        refused("prague,osaka@+9,bpo2@+9", Bpo2, 1_009, 1_009);
        refused("prague,osaka@+9,bpo2@#3", Bpo2, 1_003, 1_009);
        let after = parse("prague,osaka@+1").unwrap().timestamps((0, 1_000), None);
        assert_eq!(after.unwrap(), [(Osaka, 1_001)]);
    }

    #[test]
    fn each_mistake_has_its_error() {
        for (text, expected) in [
            ("", "\"\" is not a fork"),
            ("osak", "\"osak\" is not a fork"),
            ("shanghai,osaka@+1", "fork shanghai cannot be scheduled"),
            (
                "prague@+1",
                "the first fork must be active from genesis on: got \"prague@+1\", expected prague",
            ),
            ("prague,osaka", "osaka has no time, expected osaka@+SECONDS"),
            ("prague,osaka@", "\"\" is not the time of a fork"),
            ("prague,osaka@+-1", "\"+-1\" is not the time of a fork"),
            ("prague,osaka@++1", "\"++1\" is not the time of a fork"),
            ("prague,osaka@+99999999999999999999", "is not the time of a fork"),
            ("osaka,prague@+1", "prague comes after osaka, expected a fork later than osaka"),
            ("osaka,osaka@+1", "osaka comes after osaka"),
            ("osaka,", "\"\" is not a fork"),
        ] {
            let refused = parse(text).unwrap_err().to_string();
            assert!(refused.contains(expected), "{text}: {refused}");
        }
    }
}
