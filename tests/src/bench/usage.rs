//! What a run costs each party in processor time, read from /proc: figures that hardly change when
//! something else keeps the machine busy. Called by the benchmarks around what they measure.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::cluster::Cluster;

/// Clock ticks of /proc a second; fixed on Linux.
const TICKS: f64 = 100.0;

/// Processor seconds since the start of each party.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Seconds of user and system time by party.
    seconds: BTreeMap<String, f64>,
    /// What of PostgreSQL's is the work of each role's connections.
    roles: BTreeMap<String, f64>,
}

impl Usage {
    /// Reads what all parties have used until now.
    pub fn now(cluster: &Cluster) -> Result<Self> {
        let load = tree_seconds(std::process::id(), false)?;
        let mut usage = Self {
            seconds: BTreeMap::from([("load".to_owned(), load)]),
            roles: BTreeMap::new(),
        };
        for (name, pid) in cluster.process_ids() {
            *usage.seconds.entry(name.to_owned()).or_default() += tree_seconds(pid, true)?;
            if name == "postgres" {
                usage.roles = role_seconds(pid);
            }
        }
        Ok(usage)
    }

    /// Microseconds of processor time that each party took for one of `records`, and all together.
    pub fn per_record(&self, before: &Self, records: u64) -> BTreeMap<String, f64> {
        let mut figures = BTreeMap::new();
        let mut all = 0.0;
        for (name, seconds) in &self.seconds {
            let used = seconds - before.seconds.get(name).copied().unwrap_or_default();
            let micros = used * 1e6 / records.max(1) as f64;
            all += micros;
            figures.insert(format!("cpu_us_per_record_{name}"), round(micros));
        }
        figures.insert("cpu_us_per_record".to_owned(), round(all));
        for (role, seconds) in &self.roles {
            let used = seconds - before.roles.get(role).copied().unwrap_or_default();
            let micros = round(used * 1e6 / records.max(1) as f64);
            if micros >= 1.0 {
                figures.insert(format!("cpu_us_per_record_postgres_{role}"), micros);
            }
        }
        figures
    }
}

/// One decimal is as exact as ticks of 10 ms are.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Time of a process, of its children that have ended, and, on request, of those that run.
fn tree_seconds(pid: u32, children: bool) -> Result<f64> {
    let mut seconds = process_seconds(pid)?;
    if children {
        // A child that ends between the two looks is counted with its parent the next time.
        let running = local_servers::descendants(pid).into_iter();
        seconds += running
            .filter_map(|child| process_seconds(child).ok())
            .sum::<f64>();
    }
    Ok(seconds)
}

/// Time of PostgreSQL's running processes by what they call themselves: the role of a connection, or a task of its own.
/// Connections that have ended are missing.
fn role_seconds(pid: u32) -> BTreeMap<String, f64> {
    let mut roles = BTreeMap::new();
    for child in local_servers::descendants(pid) {
        let title = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        let title = String::from_utf8_lossy(&title);
        let Some(role) = title
            .strip_prefix("postgres: ")
            .and_then(|rest| rest.split_whitespace().next())
        else {
            continue;
        };
        *roles.entry(role.to_owned()).or_default() += process_seconds(child).unwrap_or_default();
    }
    roles
}

fn process_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = &stat[stat.rfind(')').context("a name in brackets")? + 1..];
    // utime, stime, cutime, cstime are fields 14 to 17; the first after the name is the third.
    let ticks = fields.split_ascii_whitespace().skip(11).take(4);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}
