//! Switches in Rust sources: each mutant stands beside what it changes, and a number in the environment chooses.

use std::{collections::BTreeSet, ops::Range};

use keccak::keccak256;
use serde::Deserialize;

/// One change of a source file that is compiled in, and made when its switch is on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Mutant {
    pub(super) file: String,
    /// The function around it, behind its type.
    pub(super) function: String,
    /// The line, what stands there and what it becomes, on one line.
    pub(super) change: String,
    /// Bytes of the source that the switch surrounds.
    place: Range<usize>,
    /// Texts before and behind it, with [`ON`] where the switch is asked.
    before: String,
    after: String,
    /// Bytes of the `const` of a function around it, which the copy has to do without.
    constant: Option<Range<usize>>,
}

/// Stands for the question whether the switch of a mutant is on.
const ON: &str = "@ON@";

impl Mutant {
    /// Number of its switch: a hash of file, function and change, which other code does not move.
    pub(super) fn id(&self) -> u64 {
        let hash = keccak256(format!("{} {} {}", self.file, self.function, self.change).as_bytes());
        u64::from_be_bytes(*hash.first_chunk().unwrap_or(&[0; 8]))
    }

    /// Returns `true` if its function is constant in the original.
    pub(super) const fn is_in_const_fn(&self) -> bool {
        self.constant.is_some()
    }
}

/// Switches of a crate. Its code asks by `crate::mutant::is`, and where it was asked is written down on demand.
pub(super) const SWITCH: &str = r#"
#[allow(missing_docs, clippy::all)]
mod mutant {
    // Also of crates that do without the standard library.
    extern crate std as standard;
    use self::standard::{
        cell::RefCell, collections::HashSet, env, format, fs::File, io::Write, sync::LazyLock,
        thread_local,
    };

    static ON: LazyLock<u64> = LazyLock::new(|| {
        env::var("ENSHRINE_MUTANT").ok().and_then(|id| id.parse().ok()).unwrap_or_default()
    });
    static REACHED: LazyLock<Option<File>> = LazyLock::new(|| {
        let path = env::var_os("ENSHRINE_MUTANTS_REACHED")?;
        File::options().create(true).append(true).open(path).ok()
    });
    thread_local! {
        static SEEN: RefCell<HashSet<u64>> = RefCell::default();
    }

    pub(crate) fn is(id: u64) -> bool {
        if let Some(mut file) = REACHED.as_ref() {
            let new = SEEN.try_with(|seen| seen.borrow_mut().insert(id)).unwrap_or(true);
            if new {
                let _ = file.write_all(format!("{id}\n").as_bytes());
            }
        }
        *ON == id
    }
}
"#;

/// Returns the source with all these switches in it, and the bytes of it that each stands in.
pub(super) fn with_switches(
    source: &str,
    mutants: &[&Mutant],
) -> (String, Vec<(u64, Range<usize>)>) {
    let mut sorted = mutants.to_vec();
    // The outer ones first; of two in the same place any.
    sorted.sort_by_key(|mutant| (mutant.place.start, usize::MAX - mutant.place.end, mutant.id()));
    let constants: BTreeSet<_> = mutants
        .iter()
        .filter_map(|mutant| mutant.constant.clone())
        .map(|range| (range.start, range.end))
        .collect();
    let mut written = Written { source, constants, out: String::new(), places: Vec::new() };
    written.write(0..source.len(), &sorted);
    (written.out, written.places)
}

struct Written<'a> {
    source: &'a str,
    constants: BTreeSet<(usize, usize)>,
    out: String,
    places: Vec<(u64, Range<usize>)>,
}

impl Written<'_> {
    fn write(&mut self, range: Range<usize>, mut mutants: &[&Mutant]) {
        let mut at = range.start;
        while let Some((mutant, rest)) = mutants.split_first() {
            let inner = rest.iter().take_while(|other| other.place.end <= mutant.place.end);
            // An empty place has nothing in it, and what begins there comes behind it.
            let inner = if mutant.place.is_empty() { 0 } else { inner.count() };
            self.copy(at..mutant.place.start);
            let start = self.out.len();
            let on = format!("crate::mutant::is({})", mutant.id());
            self.out.push_str(&mutant.before.replace(ON, &on));
            self.write(mutant.place.clone(), &rest[..inner]);
            self.out.push_str(&mutant.after);
            self.places.push((mutant.id(), start..self.out.len()));
            at = mutant.place.end;
            mutants = &rest[inner..];
        }
        self.copy(at..range.end);
    }

    /// Copies bytes of the source, without the `const` of functions that have switches.
    fn copy(&mut self, range: Range<usize>) {
        let mut at = range.start;
        for (start, end) in self.constants.range((range.start, 0)..(range.end, 0)) {
            self.out.push_str(&self.source[at..*start]);
            at = *end;
        }
        self.out.push_str(&self.source[at..range.end]);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn mutant(
        file: &str,
        function: &str,
        change: &str,
        place: Range<usize>,
        constant: Option<Range<usize>>,
    ) -> Mutant {
        Mutant {
            file: file.to_owned(),
            function: function.to_owned(),
            change: change.to_owned(),
            place,
            before: format!("(if {ON} {{ x }} else {{ "),
            after: " })".to_owned(),
            constant,
        }
    }

    fn on(mutant: &Mutant) -> String {
        format!("crate::mutant::is({})", mutant.id())
    }

    #[test]
    fn switches_stand_within_each_other() {
        let source = "f(a + b < c, 7)";
        let outer = mutant("a.rs", "f", "outer", 2..11, None);
        let inner = mutant("a.rs", "f", "inner", 2..7, None);
        let other = mutant("a.rs", "f", "other", 13..14, None);
        let (text, places) = with_switches(source, &[&inner, &other, &outer]);
        let (a, b, c) = (on(&outer), on(&inner), on(&other));
        assert_eq!(
            text,
            format!(
                "f((if {a} {{ x }} else {{ (if {b} {{ x }} else {{ a + b }}) < c }}), \
                 (if {c} {{ x }} else {{ 7 }}))"
            )
        );
        assert_eq!(places.len(), 3);
        for (id, place) in places {
            assert!(text[place].contains(&id.to_string()));
        }
    }

    #[test]
    fn a_const_fn_with_switches_is_none() {
        let source = "pub const fn f() -> u8 { 1 + 2 }";
        let one = mutant("a.rs", "f", "one", 25..26, Some(4..9));
        let two = mutant("a.rs", "f", "two", 29..30, Some(4..9));
        let (text, _) = with_switches(source, &[&one, &two]);
        assert!(text.starts_with("pub  fn f() -> u8 { (if "), "{text}");
    }
}
