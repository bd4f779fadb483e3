//! The built-in state, and the folder of a localnet.
//!
//! `crates/cli/localnet` contains the state of an L1 to which `script/Deploy.s.sol` has deployed a
//! rollup, and the deployment file. A test makes both anew and compares them.

use super::error::LocalnetError;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, Bytes};
use contracts::l2_chain_config_following;
use eyre::{Result, WrapErr as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    env,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use wire::ProtocolFork;

/// State of L1, as gzipped JSON of `anvil_dumpState`.
const L1: &[u8] = include_bytes!("../../localnet/l1.json.gz");
/// Deployment file of the rollup.
const DEPLOYMENT: &[u8] = include_bytes!("../../localnet/deployment.json");
/// The test token, and the first transactions of the L2.
const L2: &[u8] = include_bytes!("../../localnet/l2.json");
/// Fork of both chains in the built-in state.
pub(super) const FIRST_FORK: ProtocolFork = ProtocolFork::Osaka;

/// File about a localnet, whose presence marks its folder.
const ABOUT: &str = "localnet.json";
/// File that the process using the folder locks.
const LOCK: &str = "localnet.lock";
/// Start of the names of temporary folders.
const TEMPORARY: &str = "enshrine-localnet-";
/// Age from which a temporary folder that no process has locked is removed.
const ABANDONED_AGE: Duration = Duration::from_secs(60);
/// State of L1.
const L1_FILE: &str = "l1.json";
/// Deployment file.
const DEPLOYMENT_FILE: &str = "deployment.json";
/// Folders of the nodes, which exist once a localnet has started.
const CHAINS: [&str; 2] = ["sequencer", "follower"];
/// Version of the folder's contents.
const VERSION: u32 = 1;

/// Contents of [`ABOUT`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct About {
    version: u32,
    /// Fork of both chains.
    fork: String,
    /// Time of the first start, in seconds, at which the fork activates.
    since: u64,
}

/// Folder of a localnet: that of `--data-dir`, or a temporary one, which is removed on drop.
#[derive(Debug)]
pub(super) struct LocalnetDir {
    folder: PathBuf,
    is_kept: bool,
    /// Locked while this process uses the folder.
    _lock: File,
    /// Time of the first start, in seconds.
    pub(super) since: u64,
    /// Fork of both chains from that time on.
    pub(super) fork: ProtocolFork,
    /// Timestamp of the first block of both chains.
    pub(super) genesis_time: u64,
    /// `true` at the first start.
    pub(super) is_new: bool,
    /// What the L2 has besides its genesis.
    pub(super) l2: L2File,
}

/// Addresses of the test token.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) l1: Address,
    pub(super) l2: Address,
}

/// Contents of [`L2`].
#[derive(Debug, Deserialize)]
pub(super) struct L2File {
    pub(super) token: Token,
    /// Signed transactions of the sequencer's account, by nonce, that deploy the L2 side of the
    /// token bridge and the test token.
    pub(super) transactions: Vec<Bytes>,
}

impl LocalnetDir {
    /// Opens the folder, and creates its files at the first start.
    pub(super) fn open(kept: Option<&Path>, fork: ProtocolFork, now: u64) -> Result<Self> {
        if kept.is_none() {
            remove_abandoned(&env::temp_dir());
        }
        let folder = kept.map_or_else(temporary, Path::to_owned);
        let failed = |what| file_error(what, &folder);
        fs::create_dir_all(&folder).map_err(failed("create"))?;
        // Other programs, in other folders, read the paths in the report.
        let folder = fs::canonicalize(&folder).map_err(failed("read"))?;
        let failed = |what| file_error(what, &folder);
        let about = folder.join(ABOUT);
        let is_new = !about.exists();
        if is_new {
            let names = fs::read_dir(&folder).map_err(failed("read"))?;
            let others = names.filter_map(Result::ok).any(|entry| entry.file_name() != LOCK);
            // Files of a start that was killed before it wrote `ABOUT` are overwritten, but not the
            // chains of a localnet that has lost it.
            let is_ours = folder.join(LOCK).exists();
            let has_chain = CHAINS.iter().any(|chain| folder.join(chain).exists());
            if others && (!is_ours || has_chain) {
                return Err(LocalnetError::NotOurs { path: folder, expected: ABOUT }.into());
            }
        }
        let lock = lock(&folder)?;
        let mut deployment: Value = serde_json::from_slice(DEPLOYMENT)?;
        let genesis: Genesis = serde_json::from_value(deployment["genesis"].take())?;
        let mut dir = Self {
            folder,
            is_kept: kept.is_some(),
            _lock: lock,
            since: now,
            fork,
            genesis_time: genesis.timestamp,
            is_new,
            l2: serde_json::from_slice(L2)?,
        };
        if is_new {
            deployment["genesis"] = scheduled(genesis, &dir.later_forks())?;
            write_whole(&dir.deployment(), &deployment.to_string())?;
            fs::write(dir.l1(), L1).map_err(file_error("write", &dir.l1()))?;
            let own = About { version: VERSION, fork: fork.name().to_owned(), since: now };
            // Last, because it marks the folder as complete.
            write_whole(&about, &serde_json::to_string(&own)?)?;
            return Ok(dir);
        }
        let own = read_about(&about)?;
        if own.fork != fork.name() {
            let (path, got) = (dir.folder.clone(), fork.name().to_owned());
            return Err(LocalnetError::OtherFork { path, got, expected: own.fork }.into());
        }
        if now < own.since {
            return Err(LocalnetError::ClockBehind { got: now, expected: own.since }.into());
        }
        dir.since = own.since;
        Ok(dir)
    }

    /// Returns `true` if the next start continues the chains.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Returns the path of L1's state.
    pub(super) fn l1(&self) -> PathBuf {
        self.folder.join(L1_FILE)
    }

    /// Returns the path of the deployment file.
    pub(super) fn deployment(&self) -> PathBuf {
        self.folder.join(DEPLOYMENT_FILE)
    }

    /// Returns the forks after the first, with their times.
    pub(super) fn later_forks(&self) -> Vec<(ProtocolFork, u64)> {
        (self.fork != FIRST_FORK).then_some((self.fork, self.since)).into_iter().collect()
    }
}

impl Drop for LocalnetDir {
    fn drop(&mut self) {
        if !self.is_kept {
            // A temporary folder would only waste space; errors are ignored.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Returns a genesis with these forks after the first. Its first block is the same with any of
/// them.
fn scheduled(mut genesis: Genesis, later: &[(ProtocolFork, u64)]) -> Result<Value> {
    genesis.config = l2_chain_config_following(genesis.config.chain_id, FIRST_FORK, later);
    Ok(serde_json::to_value(genesis)?)
}

fn read_about(path: &Path) -> Result<About, LocalnetError> {
    let text = fs::read(path).map_err(file_error("read", path))?;
    let malformed = |reason| LocalnetError::Format { path: path.to_owned(), reason };
    let about: About =
        serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    if about.version != VERSION {
        return Err(malformed(format!("version {}, expected {VERSION}", about.version)));
    }
    Ok(about)
}

/// Locks the folder for this process. The system releases the lock when the process ends.
fn lock(folder: &Path) -> Result<File, LocalnetError> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(file_error("write", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LocalnetError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(file_error("lock", &path)(source)),
    }
}

/// Returns a path for a temporary folder of this process.
fn temporary() -> PathBuf {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    env::temp_dir().join(format!("{TEMPORARY}{}-{nanos}", process::id()))
}

/// Removes the temporary folders of localnets that were killed: those that no process has locked.
/// Errors are ignored, since other users' folders cannot be removed.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.filter_map(Result::ok) {
        // A localnet locks its folder immediately after it has created it.
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = modified.and_then(|modified| modified.elapsed().ok());
        let is_old = age.is_some_and(|age| age >= ABANDONED_AGE);
        let lock = File::open(entry.path().join(LOCK));
        let is_ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        if is_ours && is_old && lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns the system's Unix time in seconds.
pub(super) fn now() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(now.wrap_err("the system clock is before 1970: correct it")?.as_secs())
}

/// Writes a file atomically, so that readers never see a part of it.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<(), LocalnetError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let unfinished = PathBuf::from(name);
    // Synced before and after the rename: otherwise a loss of power could leave the new name with
    // an empty file.
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(file_error("write", &unfinished))?;
    fs::rename(&unfinished, path).map_err(file_error("write", path))?;
    // The parent of a bare name is empty.
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_error("write", folder))
}

/// Removes a file, if it exists.
pub(super) fn remove(path: &Path) -> Result<(), LocalnetError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(file_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LocalnetError {
    let path = path.to_owned();
    move |source| LocalnetError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::Deployment;

    fn open(folder: &Path, fork: ProtocolFork, now: u64) -> Result<LocalnetDir> {
        LocalnetDir::open(Some(folder), fork, now)
    }

    fn refused(outcome: Result<LocalnetDir>) -> LocalnetError {
        outcome.unwrap_err().downcast().unwrap()
    }

    #[test]
    fn deployment_schedules_fork_at_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path(), ProtocolFork::Amsterdam, 1_800_000_000).unwrap();
        let deployment = Deployment::read(&dir.deployment()).unwrap();
        assert_eq!(deployment.genesis.config.amsterdam_time, Some(1_800_000_000));
        drop(dir);
        let again = open(folder.path(), ProtocolFork::Amsterdam, 1_800_000_009).unwrap();
        assert_eq!(again.since, 1_800_000_000);
    }

    #[test]
    fn folder_rejects_second_process_and_other_values() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path(), ProtocolFork::Osaka, 1_800_000_000).unwrap();
        let second = refused(open(folder.path(), ProtocolFork::Osaka, 1_800_000_000));
        assert!(matches!(second, LocalnetError::InUse { .. }), "{second}");
        drop(dir);
        let other = refused(open(folder.path(), ProtocolFork::Bpo1, 1_800_000_000));
        assert!(matches!(other, LocalnetError::OtherFork { .. }), "{other}");
        let early = refused(open(folder.path(), ProtocolFork::Osaka, 1_799_999_999));
        assert!(matches!(early, LocalnetError::ClockBehind { .. }), "{early}");
        fs::write(folder.path().join(ABOUT), "{\"version\":2,\"fork\":\"osaka\",\"since\":1}")
            .unwrap();
        let newer = refused(open(folder.path(), ProtocolFork::Osaka, 1_800_000_000));
        assert!(matches!(newer, LocalnetError::Format { .. }), "{newer}");
    }

    #[test]
    fn folder_with_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        let theirs = refused(open(folder.path(), ProtocolFork::Osaka, 1_800_000_000));
        assert!(matches!(theirs, LocalnetError::NotOurs { .. }), "{theirs}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let new = folder.path().join("new");
        open(&new, ProtocolFork::Osaka, 1_800_000_000).unwrap();
    }

    #[test]
    fn chains_without_their_file_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), ProtocolFork::Osaka, 1_800_000_000).unwrap());
        fs::remove_file(folder.path().join(ABOUT)).unwrap();
        // A start that was killed early is repeated.
        drop(open(folder.path(), ProtocolFork::Osaka, 1_800_000_000).unwrap());
        fs::create_dir(folder.path().join(CHAINS[0])).unwrap();
        drop(open(folder.path(), ProtocolFork::Osaka, 1_800_000_000).unwrap());
        fs::remove_file(folder.path().join(ABOUT)).unwrap();
        fs::write(folder.path().join(L1_FILE), "later").unwrap();
        let lost = refused(open(folder.path(), ProtocolFork::Osaka, 1_800_000_000));
        assert!(matches!(lost, LocalnetError::NotOurs { .. }), "{lost}");
        assert_eq!(fs::read(folder.path().join(L1_FILE)).unwrap(), b"later");
    }

    #[test]
    fn abandoned_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let create = |name: &str| {
            let folder = parent.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(L1_FILE), b"state").unwrap();
            let lock = lock(&folder).unwrap();
            let long_ago = SystemTime::now() - 2 * ABANDONED_AGE;
            File::open(&folder).unwrap().set_modified(long_ago).unwrap();
            (folder, lock)
        };
        let (killed, released) = create(&format!("{TEMPORARY}1-1"));
        drop(released);
        let (running, _lock) = create(&format!("{TEMPORARY}2-2"));
        let (foreign, released) = create("enshrine-1");
        drop(released);
        let (new, released) = create(&format!("{TEMPORARY}3-3"));
        drop(released);
        File::open(&new).unwrap().set_modified(SystemTime::now()).unwrap();
        remove_abandoned(parent.path());
        let left = [killed, running, foreign, new].map(|folder| folder.join(L1_FILE).exists());
        assert_eq!(left, [false, true, true, true]);
    }

    #[test]
    fn temporary_folder_is_removed() {
        let dir = LocalnetDir::open(None, ProtocolFork::Osaka, 1_800_000_000).unwrap();
        let folder = dir.folder.clone();
        assert!(folder.join(L1_FILE).is_file());
        drop(dir);
        assert!(!folder.exists());
    }
}
