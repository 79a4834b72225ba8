//! What differs between host operating systems: places for files, local sockets and pipes, the single-instance lock.
