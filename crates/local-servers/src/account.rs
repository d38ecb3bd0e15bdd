//! Who runs us, and as whom a server must run. Used by `locked_folder` and `postgres`.

use anyhow::{Context, Result, anyhow};
use std::os::unix::fs::MetadataExt;

/// A user and a group by number, as `/etc/passwd` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// The account of this process.
pub(crate) fn current_account() -> Result<Account> {
    // The owner of /proc/self is the effective user; std has no getuid, and unsafe code is not worth it.
    let own = std::fs::metadata("/proc/self")
        .context("reading /proc/self for the current user (Linux only)")?;
    Ok(Account {
        uid: own.uid(),
        gid: own.gid(),
    })
}

/// The account that PostgreSQL runs as, or none when the current one will do: PostgreSQL refuses to run as root.
pub(crate) fn unprivileged_account() -> Result<Option<Account>> {
    if current_account()?.uid != 0 {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    find(&passwd, "nobody").map(Some).ok_or_else(|| {
        anyhow!(
            "PostgreSQL refuses to run as root, and /etc/passwd has no user `nobody` to run it as"
        )
    })
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_numbers_of_a_user() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nnobody2:x:7:7::/:/\nnobody:x:65534:65533:nobody:/:/x\n";
        assert_eq!(
            find(passwd, "nobody"),
            Some(Account {
                uid: 65534,
                gid: 65533
            })
        );
        assert_eq!(find(passwd, "postgres"), None);
        assert_eq!(find("nobody:x:minus:1::/:/", "nobody"), None);
    }
}
