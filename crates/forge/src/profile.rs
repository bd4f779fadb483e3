//! Configuration of EXECUTE.

use chain::ForkTimes;
use core::{fmt, num::NonZeroUsize, str::FromStr};
use execute::{Dialect, Execute, ExecutionSpecs, ForkRule, RequestPolicy, Rules};
use executor::ChainSpec;
use std::sync::Arc;
use variants::{DialectName, Draft8079, Drake, GasSchedule, Headers, Nested};

/// Parameters of EXECUTE in one line, as tests pass them: `key=value`, separated by commas.
///
/// | key | values | default |
/// |---|---|---|
/// | `rules` | `l2`, `l2-without-requests`, `l1` | `l2` |
/// | `gas` | a [`GasSchedule`], such as `flat`, `ethrex` or `25000+16` | `default` |
/// | `forks` | forks of the schemas that are accepted at any timestamp, `osaka,amsterdam` | all from Cancun on |
/// | `l1` | fork schedule of L1, `prague,osaka@1800000000`: the fork at the block's timestamp is accepted | none |
/// | `threads` | threads per call | 1 |
/// | `dialect` | a [`DialectName`] whose calls need only calldata: `specs`, `drake`, `nested`, `draft-8079`, `headers` | `specs` |
///
/// The empty line is the default EXECUTE.
#[derive(Debug, Clone)]
pub struct Profile {
    line: String,
    execute: Execute,
    dialect: Arc<dyn Dialect>,
}

/// The line is not a valid profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("profile of EXECUTE: {part:?} is not known; write {expected}")]
pub struct ProfileError {
    part: String,
    expected: &'static str,
}

impl Profile {
    /// Returns EXECUTE with these parameters.
    pub const fn execute(&self) -> &Execute {
        &self.execute
    }

    /// Returns the dialect of the calls.
    pub fn dialect(&self) -> &dyn Dialect {
        &*self.dialect
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(line: &str) -> Result<Self, ProfileError> {
        // The test determines the fork of its L2, independent of forge's EVM version.
        let mut execute = Execute { forks: ForkRule::every(), ..Execute::default() };
        let mut dialect = DialectName::Specs;
        let (mut forks, mut schedule) = (Vec::new(), String::new());
        let mut key = "";
        for part in line.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let unknown = |expected| move || ProfileError { part: part.to_owned(), expected };
            let setting = part.split_once('=');
            let value = match setting {
                Some((other, value)) => {
                    key = other;
                    value
                }
                // Forks in a list are separated by commas too.
                None if key == "forks" || key == "l1" => part,
                None => {
                    return Err(unknown(
                        "`key=value` with one of the keys rules, gas, forks, l1, threads, dialect",
                    )());
                }
            };
            match key {
                "rules" => {
                    execute.rules = rules(value)
                        .ok_or_else(unknown("rules=l2, rules=l2-without-requests or rules=l1"))?;
                }
                "gas" => {
                    execute.gas = value
                        .parse::<GasSchedule>()
                        .map_err(|_| {
                            unknown("gas=default, gas=flat, gas=ethrex or gas=25000+16")()
                        })?
                        .into();
                }
                "forks" => {
                    let fork = codec::parse_fork(value).ok().ok_or_else(unknown(
                        "names of forks or their schema ids: forks=osaka,amsterdam",
                    ))?;
                    if setting.is_some() {
                        forks.clear();
                    }
                    forks.push(fork);
                    execute.forks = ForkRule::Any(forks.clone());
                }
                "l1" => {
                    if setting.is_some() {
                        schedule.clear();
                    } else {
                        schedule.push(',');
                    }
                    schedule.push_str(value);
                    execute.forks = scheduled(&schedule).ok_or_else(unknown(
                        "a fork and later ones with ascending timestamps: l1=prague,osaka@1800000000",
                    ))?;
                }
                "threads" => {
                    execute.threads = value
                        .parse::<NonZeroUsize>()
                        .ok()
                        .ok_or_else(unknown("a number from 1 on: threads=2"))?;
                }
                "dialect" => {
                    // Forge tests have neither blobs nor transactions of type `0x05`.
                    let is_in_calldata = |item: &_| {
                        let elsewhere =
                            [DialectName::Blobs, DialectName::HeadersBlobs, DialectName::ExecuteTx];
                        !elsewhere.contains(item)
                    };
                    dialect = value.parse().ok().filter(is_in_calldata).ok_or_else(unknown(
                        "dialect=specs, drake, nested, draft-8079 or headers",
                    ))?;
                }
                _ => {
                    return Err(
                        unknown("one of the keys rules, gas, forks, l1, threads, dialect")(),
                    );
                }
            }
        }
        let dialect: Arc<dyn Dialect> = match dialect {
            DialectName::Drake => Arc::new(Drake),
            DialectName::Nested => Arc::new(Nested::new(&execute)),
            DialectName::Draft8079 => Arc::new(Draft8079),
            DialectName::Headers => Arc::new(Headers::of_calldata(None)),
            DialectName::Specs
            | DialectName::Blobs
            | DialectName::ExecuteTx
            | DialectName::HeadersBlobs => Arc::new(ExecutionSpecs),
        };
        Ok(Self { line: line.to_owned(), execute, dialect })
    }
}

/// Returns the fork rule of an L1 with this schedule. The first fork is active at all times before
/// the second.
fn scheduled(schedule: &str) -> Option<ForkRule> {
    let schedule: ForkTimes = schedule.parse().ok()?;
    let later = schedule.timestamps((0, 0), None).ok()?;
    Some(ForkRule::Scheduled(ChainSpec::scheduled(0, schedule.first, &later).into()))
}

fn rules(value: &str) -> Option<Rules> {
    match value {
        "l2" => Some(Rules::L2 { requests: RequestPolicy::Ignore }),
        "l2-without-requests" => Some(Rules::L2 { requests: RequestPolicy::Refuse }),
        "l1" => Some(Rules::L1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::ProtocolFork;

    #[test]
    fn every_key_sets_its_parameter() {
        let profile: Profile =
            "rules=l1, gas=100+3,forks=osaka, amsterdam,threads=2,dialect=drake".parse().unwrap();
        let execute = profile.execute();
        assert_eq!(execute.rules, Rules::L1);
        assert_eq!(execute.gas.bytes(1_000), 3_100);
        assert_eq!(execute.forks.forks(), [ProtocolFork::Osaka, ProtocolFork::Amsterdam]);
        assert_eq!(execute.threads.get(), 2);
        assert_eq!(profile.dialect().address(), Drake::ADDRESS);
        let by_id: Profile = "forks=0x1201".parse().unwrap();
        assert_eq!(by_id.execute().forks.forks(), [ProtocolFork::Osaka]);
        let scheduled: Profile = "l1=prague, osaka@1800,gas=flat".parse().unwrap();
        let ForkRule::Scheduled(l1) = &scheduled.execute().forks else { panic!("{scheduled:?}") };
        assert_eq!(l1.fork_at(1_799), Some(ProtocolFork::Prague));
        assert_eq!(l1.fork_at(1_800), Some(ProtocolFork::Osaka));
        for malformed in ["l1=osaka@5", "l1=prague,osaka", "l1=osaka,prague@5"] {
            assert!(malformed.parse::<Profile>().is_err(), "{malformed}");
        }
        let flat: Profile = "gas=flat".parse().unwrap();
        assert_eq!(flat.execute().gas.bytes(1_000), GasSchedule::FLAT.bytes(1_000));
        let default: Profile = "".parse().unwrap();
        assert_eq!(default.execute().gas.bytes(1_000), GasSchedule::DEFAULT.bytes(1_000));
        assert_eq!(default.execute().rules, Rules::default());
        assert_eq!(default.dialect().address(), execute::EXECUTE_ADDRESS);
    }

    #[test]
    fn error_lists_valid_values() {
        for line in [
            "rule=l1",
            "rules",
            "rules=l3",
            "gas=25000",
            "forks=",
            "forks=osaka/prague",
            "forks=osaka,prag",
            "forks=osaka,threads=2,prague",
            "threads=0",
            "dialect=blobs",
            "dialect=headers-blobs",
            "dialect=",
        ] {
            let error = line.parse::<Profile>().unwrap_err().to_string();
            assert!(error.contains("is not known; write"), "{error}");
        }
    }
}
