//! Linux's error numbers: what the guest's programs are told, whatever the host's own numbers are.

/// Why an operation was refused, as Linux numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("error {0} of Linux")]
pub struct Errno(pub i32);

macro_rules! numbers {
    ($($name:ident = $number:literal),* $(,)?) => {
        #[allow(missing_docs, reason = "the names are those of errno.h")]
        impl Errno {
            $(pub const $name: Self = Self($number);)*
        }
    };
}

numbers! {
    PERM = 1, NOENT = 2, INTR = 4, IO = 5, NXIO = 6, BADF = 9, AGAIN = 11, NOMEM = 12, ACCESS = 13, BUSY = 16,
    EXIST = 17, XDEV = 18, NOTDIR = 20, ISDIR = 21, INVAL = 22, NFILE = 23, MFILE = 24, TXTBSY = 26, FBIG = 27,
    NOSPC = 28, ROFS = 30, MLINK = 31, RANGE = 34, NAMETOOLONG = 36, NOSYS = 38, NOTEMPTY = 39, LOOP = 40,
    NODATA = 61, OVERFLOW = 75, OPNOTSUPP = 95, NOTCONN = 107, STALE = 116, DQUOT = 122,
}
