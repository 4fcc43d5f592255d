//! The file of an account: one SQLite database, the only place where `rusqlite` is named.
//!
//! Every change is one transaction, and a step is one change: bars, bookings and alarms are there
//! together or not at all. The log is written ahead (WAL) and synced before a commit returns, so
//! that a process or a machine that dies at any moment loses nothing and doubles nothing. One
//! process writes at a time; another one waits a moment and then says so.

use crate::error::{Error, Problem, Result};
use crate::instrument::Symbol;
use crate::market::{Action, ActionKind, Calendar, Interval, PeriodsAYear};
use crate::paper::account::{Account, Epoch, KnownAction};
use crate::paper::arrival::{Remark, RemarkKind};
use crate::paper::booked::{Cell, Progress, TABLES};
use crate::paper::cone::Cone;
use crate::paper::monitor::Alarm;
use crate::paper::tape::{BASE, Facts, Recorded};
use crate::units::Micros;
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, ToSql, Transaction, TransactionBehavior,
    params, params_from_iter,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version of the file's tables.
const FORMAT: i64 = 1;
/// How long a writer waits for another one.
const WAIT: Duration = Duration::from_secs(10);
/// The tables beside those of the books.
const SCHEMA: &str = "
CREATE TABLE account (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE epochs (number INTEGER PRIMARY KEY, after INTEGER, made INTEGER, file TEXT, text TEXT, settings TEXT, files TEXT, note TEXT);
CREATE TABLE symbols (number INTEGER PRIMARY KEY, symbol TEXT UNIQUE, extra TEXT, has_volume INTEGER, closes_only INTEGER);
CREATE TABLE bars (moment INTEGER PRIMARY KEY, data BLOB);
CREATE TABLE actions (number INTEGER PRIMARY KEY, symbol TEXT, kind TEXT, ex INTEGER, value REAL, pay INTEGER, declared INTEGER, booked INTEGER, booked_value REAL, booked_pay INTEGER, booked_declared INTEGER, arrived INTEGER);
CREATE TABLE remarks (number INTEGER PRIMARY KEY, arrived INTEGER, kind TEXT, symbol TEXT, moment INTEGER, was TEXT, now TEXT);
CREATE TABLE alarms (number INTEGER PRIMARY KEY, name TEXT, raised INTEGER, cleared INTEGER, words TEXT);
CREATE TABLE before (moment INTEGER PRIMARY KEY, equity REAL);
CREATE TABLE cone (name TEXT PRIMARY KEY, numbers BLOB) WITHOUT ROWID;
";

/// An open account file.
pub struct Journal {
    connection: Connection,
    path: PathBuf,
}

/// Accounts of a folder: the files `NAME.db`, by name.
///
/// # Errors
/// A folder that cannot be read; one that is not there holds none.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => {
            return Err(Problem::new(format!("the folder cannot be read: {cause}"))
                .in_file(folder.display().to_string())
                .into());
        }
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_account = |path: &PathBuf| path.extension().is_some_and(|e| e == "db");
    let mut found: Vec<PathBuf> = paths.filter(is_account).collect();
    found.sort();
    Ok(found)
}

/// What went wrong in the database, in the words of its user.
fn failed(path: &Path, cause: &rusqlite::Error) -> Error {
    let shown = path.display().to_string();
    let code = cause.sqlite_error_code();
    let problem = match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Problem::new("another process is writing to the account")
                .help("nothing was written; try again when it has finished")
        }
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
            Problem::new(format!("the account could not be written: {cause}"))
                .help("nothing of this step was kept and nothing before it was lost; make room and step again")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Problem::new(format!("the account cannot be written to: {cause}"))
                .help("the folder must exist and be writable")
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Problem::new(format!("this is no account, or a damaged one: {cause}"))
                .help("put a copy of the file in its place")
        }
        _ => Problem::new(format!("the account cannot be used: {cause}")),
    };
    problem.in_file(shown).into()
}

impl Journal {
    /// Makes the file of a new account.
    ///
    /// # Errors
    /// There is one of that name, or the file cannot be made.
    pub(crate) fn create(path: &Path, account: &Account) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|cause| {
                Problem::new(format!("the folder cannot be made: {cause}"))
                    .in_file(folder.display().to_string())
            })?;
        }
        let fail = |cause: rusqlite::Error| failed(path, &cause);
        let mut connection = Connection::open(path).map_err(fail)?;
        prepare(&connection).map_err(fail)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(fail)?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fail)?;
        if is_account(&transaction).map_err(fail)? {
            return Err(
                Problem::new(format!("there is an account `{}` already", account.name))
                    .in_file(path.display().to_string())
                    .help("give another name, or step the one that is there")
                    .into(),
            );
        }
        let written = transaction.execute_batch(SCHEMA).and_then(|()| {
            for table in TABLES {
                let sql = format!("CREATE TABLE {} ({})", table.name, table.columns);
                transaction.execute_batch(&sql)?;
            }
            save_account(&transaction, account)
        });
        written.and_then(|()| transaction.commit()).map_err(fail)
    }

    /// Opens the file of an account for steps.
    ///
    /// # Errors
    /// There is none, or it cannot be written to.
    pub fn open(path: &Path) -> Result<Journal> {
        existing(path)?;
        let fail = |cause: rusqlite::Error| failed(path, &cause);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
        prepare(&connection).map_err(fail)?;
        Ok(Journal {
            connection,
            path: path.to_path_buf(),
        })
    }

    /// Opens it to look only, which works in a folder that cannot be written to.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open_to_read(path: &Path) -> Result<Journal> {
        existing(path)?;
        let fail = |cause: rusqlite::Error| failed(path, &cause);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let plain = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(WAIT)?;
            is_account(&connection)?;
            Ok(connection)
        });
        let connection = match plain {
            Ok(connection) => connection,
            // The log's index cannot be made beside the file: nobody else can write here either.
            Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
                let uri = format!("file:{}?immutable=1", encoded(path));
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(uri, flags).map_err(fail)?
            }
            Err(cause) => return Err(fail(cause)),
        };
        Ok(Journal {
            connection,
            path: path.to_path_buf(),
        })
    }

    /// The account as it stands.
    ///
    /// # Errors
    /// The file is no account, or a damaged one.
    pub fn account(&mut self) -> Result<Account> {
        self.reading()?.account()
    }

    /// A view of one moment, whatever others write meanwhile.
    pub(crate) fn reading(&mut self) -> Result<Writing<'_>> {
        self.transaction(TransactionBehavior::Deferred)
    }

    /// The right to write, alone.
    ///
    /// # Errors
    /// Another process has it.
    pub(crate) fn writing(&mut self) -> Result<Writing<'_>> {
        self.transaction(TransactionBehavior::Immediate)
    }

    fn transaction(&mut self, behavior: TransactionBehavior) -> Result<Writing<'_>> {
        let path = self.path.as_path();
        let fail = |cause: rusqlite::Error| failed(path, &cause);
        let transaction = self.connection.transaction_with_behavior(behavior);
        let transaction = transaction.map_err(fail)?;
        if !is_account(&transaction).map_err(fail)? {
            return Err(Problem::new("this is no account")
                .in_file(path.display().to_string())
                .help("`papertape paper open NAME --strategy FILE` makes one")
                .into());
        }
        Ok(Writing { transaction, path })
    }
}

fn existing(path: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let wanted = stem(path);
    let known: Vec<String> = find(folder)?.iter().map(|path| stem(path)).collect();
    let near = crate::error::nearest(&wanted, known.iter().map(String::as_str));
    let help = match (near, known.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, true) => "`papertape paper open NAME --strategy FILE` makes one".to_owned(),
        (None, false) => format!("there are {}", known.join(", ")),
    };
    Err(Problem::new(format!("there is no account `{wanted}`"))
        .in_file(path.display().to_string())
        .help(help)
        .into())
}

/// A path in a URI.
fn encoded(path: &Path) -> String {
    let text = path.display().to_string();
    let mut uri = String::new();
    for c in text.chars() {
        match c {
            '%' | '?' | '#' => uri.push_str(&format!("%{:02X}", c as u32)),
            c => uri.push(c),
        }
    }
    uri
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(WAIT)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

fn is_account(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'account'";
    connection.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? == 1))
}

fn set(connection: &Connection, key: &str, value: Option<String>) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO account (key, value) VALUES (?1, ?2)";
    connection.execute(sql, params![key, value]).map(|_| ())
}

/// Writes all of a new account.
fn save_account(connection: &Connection, account: &Account) -> rusqlite::Result<()> {
    let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string());
    let path = account.data.as_ref().map(|p| p.display().to_string());
    let sealed = account.sealed.map(|(from, to)| format!("{from} {to}"));
    for (key, value) in [
        ("format", Some(FORMAT.to_string())),
        ("name", Some(account.name.clone())),
        ("version", Some(account.version.clone())),
        ("opened", Some(account.opened.to_string())),
        ("closed", None),
        ("start", day(account.start)),
        ("end", day(account.end)),
        ("cash", account.cash.map(|cash| cash.to_string())),
        ("data", path),
        ("columns", Some(json!(account.columns).to_string())),
        ("seed", Some(account.seed.to_string())),
        ("sealed", sealed),
    ] {
        set(connection, key, value)?;
    }
    set_progress(connection, &Progress::default())?;
    for epoch in &account.epochs {
        add_epoch(connection, epoch)?;
    }
    save_symbols(connection, &account.tape)?;
    if let Some(facts) = &account.facts {
        set_facts(connection, facts)?;
    }
    add_bars(connection, &account.tape, Micros::MIN)?;
    for action in &account.actions {
        add_action(connection, action)?;
    }
    let mut before = connection.prepare("INSERT INTO before (moment, equity) VALUES (?1, ?2)")?;
    for (moment, equity) in &account.before {
        before.execute(params![moment, equity])?;
    }
    match &account.cone {
        Err(reason) => set(connection, "no_cone", Some(reason.clone())),
        Ok(cone) => {
            let mut insert =
                connection.prepare("INSERT INTO cone (name, numbers) VALUES (?1, ?2)")?;
            for (name, numbers) in cone.columns() {
                insert.execute(params![name, blob(&numbers)])?;
            }
            Ok(())
        }
    }
}

fn blob(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn numbers(blob: &[u8]) -> Vec<f64> {
    let eight = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap_or_default());
    blob.chunks_exact(8).map(eight).collect()
}

fn add_epoch(connection: &Connection, epoch: &Epoch) -> rusqlite::Result<()> {
    let sql = "INSERT INTO epochs (after, made, file, text, settings, files, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (set, files) = (json!(epoch.set).to_string(), json!(epoch.files).to_string());
    let row = params![
        epoch.after,
        epoch.made,
        epoch.file,
        epoch.text,
        set,
        files,
        epoch.note
    ];
    connection.execute(sql, row).map(|_| ())
}

fn save_symbols(connection: &Connection, tape: &[Recorded]) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO symbols (number, symbol, extra, has_volume, closes_only) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = connection.prepare(sql)?;
    for (number, symbol) in tape.iter().enumerate() {
        let extra = json!(symbol.extra).to_string();
        insert.execute(params![
            number as i64,
            symbol.symbol,
            extra,
            symbol.has_volume,
            symbol.closes_only
        ])?;
    }
    Ok(())
}

fn set_facts(connection: &Connection, facts: &Facts) -> rusqlite::Result<()> {
    let periods = &facts.periods;
    let value = json!({
        "calendar": facts.calendar.name(),
        "interval": facts.interval.name(),
        "bars_a_year": periods.bars_a_year,
        "bars_a_session": periods.bars_a_session,
        "sessions_a_year": periods.sessions_a_year,
        "is_intraday": periods.is_intraday,
        "rule": periods.rule,
    });
    set(connection, "facts", Some(value.to_string()))
}

/// Writes all bars after a moment: one row a moment, in it the number of each symbol, how many
/// columns follow, and their bits.
fn add_bars(connection: &Connection, tape: &[Recorded], after: Micros) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO bars (moment, data) VALUES (?1, ?2)")?;
    let mut next: Vec<usize> = tape
        .iter()
        .map(|symbol| symbol.time.partition_point(|t| *t <= after))
        .collect();
    let mut data = Vec::new();
    loop {
        let heads = tape.iter().zip(&next).filter_map(|(s, at)| s.time.get(*at));
        let Some(moment) = heads.min().copied() else {
            return Ok(());
        };
        data.clear();
        for (number, (symbol, at)) in tape.iter().zip(&mut next).enumerate() {
            if symbol.time.get(*at) == Some(&moment) {
                data.extend((number as u32).to_le_bytes());
                data.extend((symbol.columns.len() as u32).to_le_bytes());
                data.extend(symbol.at(*at).flat_map(f64::to_le_bytes));
                *at += 1;
            }
        }
        insert.execute(params![moment, data])?;
    }
}

fn add_action(connection: &Connection, known: &KnownAction) -> rusqlite::Result<()> {
    let sql = "INSERT INTO actions (symbol, kind, ex, value, pay, declared, booked, booked_value, booked_pay, booked_declared, arrived) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let (said, booked) = (&known.announced, &known.action);
    let row = params![
        said.symbol,
        said.kind.name(),
        said.time,
        said.value,
        said.pay,
        said.declared,
        booked.time,
        booked.value,
        booked.pay,
        booked.declared,
        known.arrived
    ];
    connection.execute(sql, row).map(|_| ())
}

fn set_progress(connection: &Connection, progress: &Progress) -> rusqlite::Result<()> {
    let value = json!({
        "bars": progress.bars,
        "entries": progress.entries,
        "orders": progress.orders,
        "waiting": progress.waiting,
        "hashes": progress.hashes,
    });
    set(connection, "progress", Some(value.to_string()))
}

/// A view of the account, and, if it was asked for so, the right to change it.
pub(crate) struct Writing<'a> {
    transaction: Transaction<'a>,
    path: &'a Path,
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match self {
            Cell::Whole(n) => Value::Integer(*n),
            Cell::Number(x) if x.is_nan() => Value::Null,
            Cell::Number(x) => Value::Real(*x),
            Cell::Text(text) => Value::Text(text.clone()),
            Cell::Nothing => Value::Null,
        }))
    }
}

/// A value of the account's table that is not what it should be.
fn odd(path: &Path, key: &str) -> Error {
    Problem::new(format!("the account's `{key}` is damaged"))
        .in_file(path.display().to_string())
        .help("put a copy of the file in its place")
        .into()
}

impl Writing<'_> {
    fn fail(&self, cause: &rusqlite::Error) -> Error {
        failed(self.path, cause)
    }

    fn value(&self, key: &str) -> Result<Option<String>> {
        let sql = "SELECT value FROM account WHERE key = ?1";
        let row = self
            .transaction
            .query_row(sql, [key], |row| row.get::<_, Option<String>>(0));
        Ok(row.optional().map_err(|e| self.fail(&e))?.flatten())
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>> {
        match self.value(key)? {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| odd(self.path, key)),
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&self, key: &str, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|_| odd(self.path, key))
    }

    /// All rows of a query.
    fn all<T>(
        &self,
        sql: &str,
        mut of: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut read = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.transaction.prepare(sql)?;
            let rows = statement.query_map([], |row| of(row))?;
            rows.collect()
        };
        read().map_err(|cause| self.fail(&cause))
    }

    /// Everything that the account holds.
    ///
    /// # Errors
    /// A damaged file, or one of another version.
    pub(crate) fn account(&self) -> Result<Account> {
        if self.parsed::<i64>("format")? != Some(FORMAT) {
            return Err(
                Problem::new("the account is of another version of papertape")
                    .in_file(self.path.display().to_string())
                    .help("use the version that opened it")
                    .into(),
            );
        }
        let sealed = self.value("sealed")?.and_then(|text| {
            let (from, to) = text.split_once(' ')?;
            Some((from.parse().ok()?, to.parse().ok()?))
        });
        let columns = self.value("columns")?.unwrap_or_else(|| "[]".to_owned());
        let mut tape = self.symbols()?;
        self.bars(&mut tape)?;
        Ok(Account {
            name: self.value("name")?.unwrap_or_default(),
            version: self.value("version")?.unwrap_or_default(),
            opened: self.parsed("opened")?.unwrap_or(0),
            closed: self.parsed("closed")?,
            start: self.parsed("start")?,
            end: self.parsed("end")?,
            cash: self.parsed("cash")?,
            data: self.value("data")?.map(PathBuf::from),
            columns: self.json("columns", &columns)?,
            seed: self.parsed("seed")?.unwrap_or(42),
            sealed,
            facts: self.facts()?,
            epochs: self.epochs()?,
            tape,
            actions: self.actions()?,
            before: self.all("SELECT moment, equity FROM before ORDER BY moment", |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?,
            cone: self.cone()?,
        })
    }

    fn facts(&self) -> Result<Option<Facts>> {
        let Some(text) = self.value("facts")? else {
            return Ok(None);
        };
        let object: serde_json::Value = self.json("facts", &text)?;
        let number = |key: &str| object[key].as_f64().ok_or_else(|| odd(self.path, "facts"));
        let word = |key: &str| object[key].as_str().unwrap_or_default();
        let calendar = Calendar::parse(word("calendar"));
        let interval = Interval::parse(word("interval"));
        let (Some(calendar), Some(interval)) = (calendar, interval) else {
            return Err(odd(self.path, "facts"));
        };
        Ok(Some(Facts {
            calendar,
            interval,
            periods: PeriodsAYear {
                bars_a_year: number("bars_a_year")?,
                bars_a_session: number("bars_a_session")?,
                sessions_a_year: number("sessions_a_year")?,
                is_intraday: object["is_intraday"].as_bool().unwrap_or(false),
                rule: word("rule").to_owned(),
            },
        }))
    }

    fn epochs(&self) -> Result<Vec<Epoch>> {
        let sql =
            "SELECT after, made, file, text, settings, files, note FROM epochs ORDER BY number";
        let rows = self.all(sql, |row| {
            let texts: (String, String) = (row.get(4)?, row.get(5)?);
            let epoch = Epoch {
                after: row.get(0)?,
                made: row.get(1)?,
                file: row.get(2)?,
                text: row.get(3)?,
                set: Vec::new(),
                files: Vec::new(),
                note: row.get(6)?,
            };
            Ok((epoch, texts))
        })?;
        let whole = rows.into_iter().map(|(epoch, (set, files))| {
            Ok(Epoch {
                set: self.json("epochs", &set)?,
                files: self.json("epochs", &files)?,
                ..epoch
            })
        });
        whole.collect()
    }

    fn symbols(&self) -> Result<Vec<Recorded>> {
        let sql = "SELECT symbol, extra, has_volume, closes_only FROM symbols ORDER BY number";
        let rows = self.all(sql, |row| {
            let extra: String = row.get(1)?;
            let symbol: Symbol = row.get(0)?;
            Ok((symbol, extra, row.get(2)?, row.get(3)?))
        })?;
        let recorded = rows
            .into_iter()
            .map(|(symbol, extra, has_volume, closes_only)| {
                let extra: Vec<String> = self.json("symbols", &extra)?;
                Ok(Recorded {
                    symbol,
                    has_volume,
                    closes_only,
                    columns: vec![Vec::new(); BASE + extra.len()],
                    extra,
                    ..Recorded::default()
                })
            });
        recorded.collect()
    }

    fn bars(&self, tape: &mut [Recorded]) -> Result<()> {
        let mut is_sound = true;
        let mut values = Vec::new();
        self.all("SELECT moment, data FROM bars ORDER BY moment", |row| {
            let moment: Micros = row.get(0)?;
            let mut rest = row.get_ref(1)?.as_blob()?;
            while let Some((head, after)) = rest.split_first_chunk::<8>() {
                let number = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
                let columns = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
                let (Some(symbol), Some((bits, next))) =
                    (tape.get_mut(number), after.split_at_checked(8 * columns))
                else {
                    is_sound = false;
                    break;
                };
                values.clear();
                let eight = |b: &[u8]| f64::from_le_bytes(b.try_into().unwrap_or_default());
                values.extend(bits.chunks_exact(8).map(eight));
                symbol.push(moment, &values);
                rest = next;
            }
            is_sound &= rest.is_empty();
            Ok(())
        })?;
        match is_sound {
            true => Ok(()),
            false => Err(odd(self.path, "bars")),
        }
    }

    fn actions(&self) -> Result<Vec<KnownAction>> {
        let sql = "SELECT symbol, kind, ex, value, pay, declared, booked, booked_value, booked_pay, booked_declared, arrived FROM actions ORDER BY number";
        let rows = self.all(sql, |row| {
            let kind: String = row.get(1)?;
            let announced = Action {
                time: row.get(2)?,
                symbol: row.get(0)?,
                kind: ActionKind::Split,
                value: row.get(3)?,
                pay: row.get(4)?,
                declared: row.get(5)?,
            };
            let action = Action {
                time: row.get(6)?,
                value: row.get(7)?,
                pay: row.get(8)?,
                declared: row.get(9)?,
                ..announced.clone()
            };
            Ok((kind, announced, action, row.get(10)?))
        })?;
        let known = rows.into_iter().map(|(kind, announced, action, arrived)| {
            let kind = ActionKind::parse(&kind).ok_or_else(|| odd(self.path, "actions"))?;
            Ok(KnownAction {
                action: Action { kind, ..action },
                announced: Action { kind, ..announced },
                arrived,
            })
        });
        known.collect()
    }

    fn cone(&self) -> Result<std::result::Result<Cone, String>> {
        if let Some(reason) = self.value("no_cone")? {
            return Ok(Err(reason));
        }
        let columns = self.all("SELECT name, numbers FROM cone", |row| {
            let data: Vec<u8> = row.get(1)?;
            Ok((row.get::<_, String>(0)?, numbers(&data)))
        })?;
        let cone = Cone::of_columns(columns).ok_or_else(|| odd(self.path, "cone"))?;
        Ok(Ok(cone))
    }

    /// How far the books have come.
    pub(crate) fn progress(&self) -> Result<Progress> {
        let Some(text) = self.value("progress")? else {
            return Err(odd(self.path, "progress"));
        };
        let object: serde_json::Value = self.json("progress", &text)?;
        let whole = |key: &str| object[key].as_u64().unwrap_or(0) as usize;
        let waiting = object["waiting"].as_array().into_iter().flatten();
        let hash = |k: usize| object["hashes"][k].as_str().unwrap_or_default().to_owned();
        Ok(Progress {
            bars: whole("bars"),
            entries: whole("entries"),
            orders: whole("orders"),
            waiting: waiting.filter_map(|n| Some(n.as_u64()? as u32)).collect(),
            hashes: [hash(0), hash(1), hash(2)],
        })
    }

    /// What was remarked so far, in order.
    pub(crate) fn remarks(&self) -> Result<Vec<Remark>> {
        let sql = "SELECT arrived, kind, symbol, moment, was, now FROM remarks ORDER BY number";
        let rows = self.all(sql, |row| {
            let kind: String = row.get(1)?;
            let remark = Remark {
                arrived: row.get(0)?,
                kind: RemarkKind::Restated,
                symbol: row.get(2)?,
                moment: row.get(3)?,
                was: row.get(4)?,
                now: row.get(5)?,
            };
            Ok((kind, remark))
        })?;
        let known = rows.into_iter().map(|(kind, remark)| {
            let kind = RemarkKind::parse(&kind).ok_or_else(|| odd(self.path, "remarks"))?;
            Ok(Remark { kind, ..remark })
        });
        known.collect()
    }

    /// All alarms so far, in order.
    pub(crate) fn alarms(&self) -> Result<Vec<Alarm>> {
        self.all(
            "SELECT name, raised, cleared, words FROM alarms ORDER BY number",
            |row| {
                Ok(Alarm {
                    name: row.get(0)?,
                    raised: row.get(1)?,
                    cleared: row.get(2)?,
                    words: row.get(3)?,
                })
            },
        )
    }

    /// Cells of a table of the books, in the order of its key.
    pub(crate) fn booked(&self, table: &str) -> Result<Vec<Vec<Cell>>> {
        let sql = format!("SELECT * FROM {table} ORDER BY 1");
        self.all(&sql, |row| {
            let columns = row.as_ref().column_count();
            let cell = |k: usize| {
                Ok(match row.get::<_, Value>(k)? {
                    Value::Integer(n) => Cell::Whole(n),
                    Value::Real(x) => Cell::Number(x),
                    Value::Text(text) => Cell::Text(text),
                    Value::Null | Value::Blob(_) => Cell::Nothing,
                })
            };
            (0..columns).map(cell).collect()
        })
    }

    /// First row of a table that may still change (counted from 0), which is taken out with all
    /// that come after it: `of` is a condition in SQL.
    fn cut(&self, table: &str, of: &str) -> rusqlite::Result<usize> {
        let key = match table {
            "trades" => "trade",
            "orders" => "id",
            _ => "row",
        };
        let sql = format!("SELECT min({key}) FROM {table} WHERE {of}");
        let first: Option<i64> = self.transaction.query_row(&sql, [], |row| row.get(0))?;
        let count = format!("SELECT count(*) FROM {table}");
        let Some(first) = first else {
            let rows: i64 = self.transaction.query_row(&count, [], |row| row.get(0))?;
            return Ok(rows as usize);
        };
        let delete = format!("DELETE FROM {table} WHERE {key} >= {first}");
        self.transaction.execute(&delete, [])?;
        Ok(first as usize - 1)
    }

    /// Writes what is new in the books.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn book(&self, run: &crate::engine::Run, before: &Progress) -> Result<()> {
        let write = || -> rusqlite::Result<()> {
            let month = "month >= (SELECT max(month) FROM income)";
            for table in TABLES {
                let from = match table.name {
                    "equity" => before.bars,
                    "ledger" => before.entries,
                    "orders" => self.cut("orders", "outcome = 'open'")?,
                    "trades" => self.cut("trades", "status = 'open'")?,
                    _ => self.cut("income", month)?,
                };
                let rows = crate::paper::booked::rows(run, table.name, from);
                let Some(columns) = rows.first().map(Vec::len) else {
                    continue;
                };
                let places = vec!["?"; columns].join(", ");
                let sql = format!("INSERT INTO {} VALUES ({places})", table.name);
                let mut insert = self.transaction.prepare(&sql)?;
                for row in &rows {
                    insert.execute(params_from_iter(row))?;
                }
            }
            set_progress(&self.transaction, &Progress::of(run))
        };
        write().map_err(|cause| self.fail(&cause))
    }

    /// Writes bars and actions that came: `account` holds them already, `after` is the last moment
    /// before them and `actions` the number of actions.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn record(&self, account: &Account, after: Micros, actions: usize) -> Result<()> {
        let write = || -> rusqlite::Result<()> {
            save_symbols(&self.transaction, &account.tape)?;
            if let Some(facts) = &account.facts {
                set_facts(&self.transaction, facts)?;
            }
            add_bars(&self.transaction, &account.tape, after)?;
            for known in &account.actions[actions..] {
                add_action(&self.transaction, known)?;
            }
            Ok(())
        };
        write().map_err(|cause| self.fail(&cause))
    }

    /// Replaces an action that had not come into force by what is now announced.
    pub(crate) fn replace_action(&self, number: usize, known: &KnownAction) -> Result<()> {
        let sql = "UPDATE actions SET value = ?2, pay = ?3, declared = ?4, booked_value = ?2, booked_pay = ?3, booked_declared = ?4 WHERE number = ?1";
        let said = &known.announced;
        let row = params![number as i64 + 1, said.value, said.pay, said.declared];
        let done = self.transaction.execute(sql, row);
        done.map(|_| ()).map_err(|cause| self.fail(&cause))
    }

    /// Adds remarks.
    pub(crate) fn remark(&self, remarks: &[Remark]) -> Result<()> {
        let sql = "INSERT INTO remarks (arrived, kind, symbol, moment, was, now) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let write = || -> rusqlite::Result<()> {
            let mut insert = self.transaction.prepare(sql)?;
            for r in remarks {
                let kind = r.kind.name();
                insert.execute(params![r.arrived, kind, r.symbol, r.moment, r.was, r.now])?;
            }
            Ok(())
        };
        write().map_err(|cause| self.fail(&cause))
    }

    /// Replaces the alarms.
    pub(crate) fn set_alarms(&self, alarms: &[Alarm]) -> Result<()> {
        let sql = "INSERT INTO alarms (name, raised, cleared, words) VALUES (?1, ?2, ?3, ?4)";
        let write = || -> rusqlite::Result<()> {
            self.transaction.execute("DELETE FROM alarms", [])?;
            let mut insert = self.transaction.prepare(sql)?;
            for alarm in alarms {
                insert.execute(params![
                    alarm.name,
                    alarm.raised,
                    alarm.cleared,
                    alarm.words
                ])?;
            }
            Ok(())
        };
        write().map_err(|cause| self.fail(&cause))
    }

    /// Adds an epoch.
    pub(crate) fn add_epoch(&self, epoch: &Epoch) -> Result<()> {
        add_epoch(&self.transaction, epoch).map_err(|cause| self.fail(&cause))
    }

    /// Takes the last epoch back, which has decided nothing yet.
    pub(crate) fn drop_epoch(&self) -> Result<()> {
        let sql = "DELETE FROM epochs WHERE number = (SELECT max(number) FROM epochs)";
        let done = self.transaction.execute(sql, []);
        done.map(|_| ()).map_err(|cause| self.fail(&cause))
    }

    /// Notes the moment of closing.
    pub(crate) fn close(&self, now: Micros) -> Result<()> {
        set(&self.transaction, "closed", Some(now.to_string())).map_err(|cause| self.fail(&cause))
    }

    /// Makes everything since the beginning of the transaction last.
    ///
    /// # Errors
    /// The file cannot be written; then nothing of it is there.
    pub(crate) fn commit(self) -> Result<()> {
        let path = self.path;
        self.transaction
            .commit()
            .map_err(|cause| failed(path, &cause))
    }
}
