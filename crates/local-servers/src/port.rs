//! Free ports of 127.0.0.1 that stay ours while a server is down. Used by `postgres` and `nats`.

use crate::credentials::random_hex;
use crate::locked_folder::shared_folder;
use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

// Below the kernel's range for outgoing connections (32768 and up), so that no client socket takes the port of a
// server that a test has just killed and is about to start again.
const FIRST: u16 = 15_000;
const LAST: u16 = 32_000;

/// A port reserved for this process as long as this value lives; other processes that reserve in this way do not get
/// it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    // The lock on this file is the reservation; the kernel lifts it when the process ends in whatever way.
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    pub fn reserve() -> Result<Self> {
        let mut candidate = FIRST
            + u16::from_str_radix(&random_hex(2)?, 16).context("random port")? % (LAST - FIRST);
        for _ in FIRST..LAST {
            if let Some(port) = Self::try_reserve(candidate)? {
                return Ok(port);
            }
            candidate = if candidate + 1 < LAST {
                candidate + 1
            } else {
                FIRST
            };
        }
        bail!("no free TCP port on 127.0.0.1 between {FIRST} and {LAST}")
    }

    fn try_reserve(number: u16) -> Result<Option<Self>> {
        Self::try_reserve_in(&shared_folder("ports")?, number)
    }

    fn try_reserve_in(folder: &Path, number: u16) -> Result<Option<Self>> {
        let path = folder.join(number.to_string());
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening the reservation {}", path.display()))?;
        if lock.try_lock().is_err() || TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_err() {
            return Ok(None);
        }
        Ok(Some(Self {
            number,
            _lock: lock,
        }))
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that no other process gets, and a folder of reservations in which it is free.
    fn free() -> (Port, crate::LockedFolder) {
        (
            Port::reserve().unwrap(),
            crate::LockedFolder::temporary().unwrap(),
        )
    }

    #[test]
    fn a_reserved_port_is_given_once() {
        let (ours, place) = free();
        let reserve = || Port::try_reserve_in(place.path(), ours.number()).unwrap();
        let held = reserve().unwrap();
        assert!(reserve().is_none());
        drop(held);
        assert!(reserve().is_some());
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        let (ours, place) = free();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ours.number())).unwrap();
        let reserved = Port::try_reserve_in(place.path(), ours.number());
        assert!(reserved.unwrap().is_none());
        drop(listener);
    }
}
