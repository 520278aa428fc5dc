//! The limit of open files of the process.

use anyhow::bail;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;

/// Fewer connections than this are of no use.
const CONNECTIONS_MIN: u64 = 16;

/// Raises the limit to the one that the system allows this process. Where that fails, it stays as it is.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        setrlimit(Resource::Nofile, raised).unwrap_or(());
    }
}

/// Connections that leave `reserve` files free, at most `wanted`.
///
/// # Errors
/// If hardly any connection would be left.
pub fn connections_max(wanted: usize, reserve: u64) -> anyhow::Result<usize> {
    fitting(getrlimit(Resource::Nofile).current, wanted, reserve)
}

fn fitting(limit: Option<u64>, wanted: usize, reserve: u64) -> anyhow::Result<usize> {
    // No limit.
    let Some(limit) = limit else {
        return Ok(wanted);
    };
    let left = limit.saturating_sub(reserve);
    if left < CONNECTIONS_MIN {
        bail!(
            "the process may open {limit} files, and http.files_reserve is {reserve}: allowed are {} files or more \
             (ulimit -n), or a smaller http.files_reserve",
            reserve + CONNECTIONS_MIN
        );
    }
    Ok(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_reserve_free() {
        for (limit, expected) in [
            (None, Some(2048)),
            (Some(1_048_576), Some(2048)),
            (Some(1024), Some(512)),
            (Some(528), Some(16)),
            (Some(527), None),
            (Some(256), None),
        ] {
            assert_eq!(fitting(limit, 2048, 512).ok(), expected, "{limit:?}");
        }
        let error = fitting(Some(256), 2048, 512).unwrap_err().to_string();
        assert!(error.contains("256") && error.contains("528"), "{error}");
    }
}
