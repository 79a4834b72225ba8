//! A proxy that all TCP to the outside goes through: HTTP's CONNECT, or SOCKS5 (RFC 1928, RFC 1929).

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, timeout},
};

use super::{Refusal, Target, policy::Block};

/// How long a proxy may take to connect: it waits for others itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest head of a proxy's answer.
const LONGEST_HEAD: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    /// Name and password.
    user: Option<(String, String)>,
    /// What is reached without it.
    not_for: Vec<Block>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({:?} {}:{})", self.kind, self.host, self.port)
    }
}

impl FromStr for Proxy {
    type Err = String;

    /// Reads `http://[user:password@]host[:port]`, `socks5://...`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no proxy: it begins with http:// or socks5://, and then a host and a port");
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let (kind, default) = match uri.scheme_str() {
            Some("http") => (Kind::Http, 8080),
            Some("socks5" | "socks5h" | "socks") => (Kind::Socks5, 1080),
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let user = authority.as_str().rsplit_once('@').map(|(user, _)| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            (plain(name), plain(password))
        });
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self { kind, host, port: authority.port_u16().unwrap_or(default), user, not_for: Vec::new() })
    }
}

/// Without percent signs.
fn plain(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why a proxy did not connect: what the container is told, and what the user is.
pub(super) type NotConnected = (Refusal, String);

impl Proxy {
    /// The same, for everything but these.
    pub(super) fn except(self, not_for: Vec<Block>) -> Self {
        Self { not_for, ..self }
    }

    /// Whether a target is reached by it: not the host itself, and not what it is not for.
    pub(super) fn is_for(&self, target: Target) -> bool {
        match target {
            Target::Host { .. } => false,
            Target::Address(address) => !self.not_for.iter().any(|block| block.holds(address.ip())),
        }
    }

    /// Connects by it.
    pub(super) async fn connect(&self, to: SocketAddr) -> Result<TcpStream, NotConnected> {
        let told = |error: &io::Error| format!("the proxy {}:{}: {error}", self.host, self.port);
        let connected = timeout(PATIENCE, async {
            let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            let asked = match self.kind {
                Kind::Http => self.ask_http(&mut stream, to).await?,
                Kind::Socks5 => self.ask_socks(&mut stream, to).await?,
            };
            Ok(asked.map(|()| stream))
        });
        match connected.await {
            Ok(Ok(Ok(stream))) => Ok(stream),
            Ok(Ok(Err((refusal, why)))) => Err((refusal, format!("the proxy {}:{} {why}", self.host, self.port))),
            Ok(Err(error)) => Err((Refusal::HostUnreachable, told(&error))),
            Err(_late) => Err((Refusal::TimedOut, told(&io::ErrorKind::TimedOut.into()))),
        }
    }

    async fn ask_http(&self, stream: &mut TcpStream, to: SocketAddr) -> io::Result<Result<(), NotConnected>> {
        let user = self.user.as_ref().map_or_else(String::new, |(name, password)| {
            let both = BASE64_STANDARD.encode(format!("{name}:{password}"));
            format!("Proxy-Authorization: Basic {both}\r\n")
        });
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{user}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        // A byte at a time: what comes behind the head is the other side's.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == LONGEST_HEAD {
                return Err(io::ErrorKind::InvalidData.into());
            }
            head.push(stream.read_u8().await?);
        }
        Ok(http_answer(&head))
    }

    async fn ask_socks(&self, stream: &mut TcpStream, to: SocketAddr) -> io::Result<Result<(), NotConnected>> {
        const VERSION: u8 = 5;
        const BY_PASSWORD: u8 = 2;
        let way = if self.user.is_some() { BY_PASSWORD } else { 0 };
        stream.write_all(&[VERSION, 1, way]).await?;
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen).await?;
        let refused = |why: &str| Ok(Err((Refusal::Forbidden, why.to_owned())));
        if chosen != [VERSION, way] {
            return refused("wants another way of proving who we are");
        }
        if let Some((name, password)) = &self.user {
            stream.write_all(&[&[1], counted(name).as_slice(), &counted(password)].concat()).await?;
            let mut proven = [0; 2];
            stream.read_exact(&mut proven).await?;
            if proven[1] != 0 {
                return refused("does not take the name and password");
            }
        }
        let (kind, octets) = match to.ip() {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(address) => (4, address.octets().to_vec()),
        };
        const CONNECT: u8 = 1;
        stream.write_all(&[&[VERSION, CONNECT, 0, kind], &octets[..], &to.port().to_be_bytes()].concat()).await?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        // Where the proxy connects from follows.
        let length = match head[3] {
            1 => 4,
            4 => 16,
            _ => usize::from(stream.read_u8().await?),
        };
        stream.read_exact(&mut vec![0; length + 2]).await?;
        Ok(socks_answer(head[1]))
    }
}

fn counted(text: &str) -> Vec<u8> {
    let bytes = &text.as_bytes()[..text.len().min(255)];
    [&[u8::try_from(bytes.len()).unwrap_or(u8::MAX)], bytes].concat()
}

fn http_answer(head: &[u8]) -> Result<(), NotConnected> {
    let text = String::from_utf8_lossy(head);
    let line = text.lines().next().unwrap_or_default();
    let status: u16 = line.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let refusal = match status {
        200..300 => return Ok(()),
        403 | 407 => Refusal::Forbidden,
        504 => Refusal::TimedOut,
        _ => Refusal::HostUnreachable,
    };
    Err((refusal, format!("answers {line:?}")))
}

fn socks_answer(code: u8) -> Result<(), NotConnected> {
    let (refusal, why) = match code {
        0 => return Ok(()),
        2 => (Refusal::Forbidden, "does not allow it"),
        3 => (Refusal::NetworkUnreachable, "cannot reach the network"),
        5 => (Refusal::Refused, "was refused"),
        6 => (Refusal::TimedOut, "had no answer in time"),
        _ => (Refusal::HostUnreachable, "cannot reach the host"),
    };
    Err((refusal, why.to_owned()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn proxy(text: &str) -> Proxy {
        text.parse().unwrap()
    }

    #[test]
    fn proxies_are_read_with_their_users() {
        let read = proxy("http://me:p%40ss@proxy.example:3128");
        assert_eq!((read.kind, read.host.as_str(), read.port), (Kind::Http, "proxy.example", 3128));
        assert_eq!(read.user, Some(("me".to_owned(), "p@ss".to_owned())));
        assert!(!format!("{read:?}").contains("p@ss"), "a password in a log");
        assert_eq!((proxy("socks5://[::1]").host.as_str(), proxy("socks5://[::1]").port), ("::1", 1080));
        assert_eq!(proxy("http://h/").port, 8080);
        for wrong in ["", "proxy:3128", "https://h:1", "ftp://h", "http://", "socks5://:1"] {
            assert!(wrong.parse::<Proxy>().is_err(), "{wrong}");
        }
    }

    /// What a proxy of these answers does, and what it was asked.
    async fn asked(
        scheme: &str,
        answers: &'static [&'static [u8]],
        lengths: &[usize],
    ) -> (Result<Vec<u8>, Refusal>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = proxy(&format!("{scheme}{}", listener.local_addr().unwrap()));
        let lengths = lengths.to_vec();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            for (answer, length) in answers.iter().zip(lengths) {
                let mut part = vec![0; length];
                stream.read_exact(&mut part).await.unwrap();
                heard.extend(part);
                stream.write_all(answer).await.unwrap();
            }
            heard
        });
        let connected = own.connect("198.51.100.7:443".parse().unwrap()).await;
        let said = match connected {
            Ok(mut stream) => {
                let mut said = Vec::new();
                stream.read_to_end(&mut said).await.unwrap();
                Ok(said)
            }
            Err((refusal, _)) => Err(refusal),
        };
        (said, server.await.unwrap())
    }

    #[tokio::test]
    async fn http_is_asked_to_connect_and_what_follows_its_answer_is_the_others() {
        let request = "CONNECT 198.51.100.7:443 HTTP/1.1\r\nHost: 198.51.100.7:443\r\n\r\n";
        let (said, heard) =
            asked("http://", &[b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello"], &[request.len()]).await;
        assert_eq!((said.unwrap(), String::from_utf8(heard).unwrap()), (b"hello".to_vec(), request.to_owned()));
        const ANSWERS: [(&[&[u8]], Refusal); 4] = [
            (&[b"HTTP/1.1 403 No\r\n\r\n"], Refusal::Forbidden),
            (&[b"HTTP/1.1 502 Bad\r\n\r\n"], Refusal::HostUnreachable),
            (&[b"HTTP/1.1 504 Late\r\n\r\n"], Refusal::TimedOut),
            (&[b"nonsense\r\n\r\n"], Refusal::HostUnreachable),
        ];
        for (answer, refusal) in ANSWERS {
            assert_eq!(asked("http://", answer, &[request.len()]).await.0.unwrap_err(), refusal);
        }
    }

    #[tokio::test]
    async fn socks_is_asked_with_name_and_password() {
        let answers: &[&[u8]] = &[&[5, 2], &[1, 0], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0, b'o', b'k']];
        let (said, heard) = asked("socks5://me:pw@", answers, &[3, 7, 10]).await;
        assert_eq!(said.unwrap(), b"ok");
        assert_eq!(heard[..10], [5, 1, 2, 1, 2, b'm', b'e', 2, b'p', b'w']);
        assert_eq!(heard[10..], [5, 1, 0, 1, 198, 51, 100, 7, 1, 187]);
    }

    #[tokio::test]
    async fn errors_of_socks_keep_their_meaning() {
        let refused: &[&[u8]] = &[&[5, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]];
        assert_eq!(asked("socks5://", refused, &[3, 10]).await.0.unwrap_err(), Refusal::Refused);
        let unreachable: &[&[u8]] = &[&[5, 0], &[5, 3, 0, 3, 1, b'x', 0, 0]];
        assert_eq!(asked("socks5://", unreachable, &[3, 10]).await.0.unwrap_err(), Refusal::NetworkUnreachable);
        assert_eq!(asked("socks5://", &[&[5, 255]], &[3]).await.0.unwrap_err(), Refusal::Forbidden);
    }
}
