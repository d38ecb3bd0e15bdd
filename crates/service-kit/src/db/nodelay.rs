//! Turns Nagle's algorithm off on connections to the database. [`super::connect_lazy`] calls it for each.
//!
//! The end of a COPY travels in a small segment of its own, which the algorithm holds back until the server has
//! acknowledged the rows, and a server with nothing to answer yet takes 40 ms to do that. sqlx (0.9) neither turns it off
//! nor lets one reach the socket, so the sockets are found by the process's own list of open files, which is Linux's.

use std::os::fd::{BorrowedFd, RawFd};

use socket2::SockRef;

/// Makes every connection of this process to that port send at once. Where that cannot be done, COPY is slow and right.
pub(super) fn disable_nagle(port: u16) {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let names = open.flatten().map(|entry| entry.file_name());
    for name in names {
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        with_socket(number, |socket| {
            let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
            if peer.is_some_and(|peer| peer.port() == port) {
                // A connection that has just been closed needs no option.
                let _ = socket.set_tcp_nodelay(true);
            }
        });
    }
}

#[expect(
    unsafe_code,
    reason = "no safe way leads from the list of open files to a socket"
)]
fn with_socket(number: RawFd, work: impl FnOnce(&SockRef<'_>)) {
    // SAFETY: the number is from the process's own list. Should another thread close it meanwhile, the system calls of
    // `work` fail, or set TCP_NODELAY on what was opened in its place; neither touches memory.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    work(&SockRef::from(&descriptor));
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_to_the_port_send_at_once_and_others_are_left_alone() {
        let (database, other) = (
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        );
        let to = |listener: &TcpListener| TcpStream::connect(listener.local_addr().unwrap());
        let (ours, foreign) = (to(&database).unwrap(), to(&other).unwrap());
        assert!(!ours.nodelay().unwrap());
        disable_nagle(database.local_addr().unwrap().port());
        assert!(ours.nodelay().unwrap());
        assert!(!foreign.nodelay().unwrap());
    }
}
