//! What a run costs this process: CPU and memory, as Linux counts them.

use std::fs;
use std::time::{Duration, Instant};

/// What one piece of work took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// CPU of the main thread, which does all the work here.
    pub cpu: Duration,
    /// By the clock on the wall.
    pub wall: Duration,
    /// Resident memory before it.
    pub before: u64,
    /// The most resident memory while it ran.
    pub peak: u64,
}

/// Starts to measure.
pub struct Meter {
    cpu: Duration,
    began: Instant,
    before: u64,
}

impl Meter {
    /// From now on.
    pub fn start() -> Self {
        // 5: the peak begins anew at what is resident now. Where that is not allowed the peak is that of the process.
        drop(fs::write("/proc/self/clear_refs", "5"));
        Self { cpu: cpu(), began: Instant::now(), before: status("VmRSS:") }
    }

    /// Until now.
    pub fn stop(self) -> Cost {
        Cost {
            cpu: cpu().saturating_sub(self.cpu),
            wall: self.began.elapsed(),
            before: self.before,
            peak: status("VmHWM:"),
        }
    }
}

/// First number of `schedstat`: nanoseconds on a CPU.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("/proc/self/schedstat: the benchmark needs Linux"))
}

/// A line of `/proc/self/status`, in bytes.
pub fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() * 1024
}
