//! A registry that can be reached by a proxy alone: by CONNECT, by a request with a whole address, by SOCKS5; and one that
//! is reached without.

use std::sync::{Arc, Mutex};

use cove_registry::{
    Credentials, Digest, Proxies, Reference, Registries, RegistryError, RegistrySettings, Surroundings, blobs::Step,
    repository::Access,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{fake::Fake, patience};

/// Leads to the fake whoever wants to go to a host that does not exist.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn to(fake: &Fake) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, there) = (listener.local_addr().unwrap().to_string(), fake.host());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (there, heard) = (there.clone(), Arc::clone(&heard));
                // Who hangs up early has what was wanted.
                tokio::spawn(async move { lead(client, &there, &heard).await.ok() });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.dedup();
        asked
    }
}

async fn lead(mut client: TcpStream, there: &str, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut start = vec![0; 4096];
    let count = client.read(&mut start).await?;
    start.truncate(count);
    let mut server = TcpStream::connect(there).await?;
    if start.first() == Some(&5) {
        client.write_all(&[5, 0]).await?;
        let mut head = [0; 5];
        client.read_exact(&mut head).await?;
        // 3: a name and no address.
        assert_eq!(head[3], 3);
        let mut goal = vec![0; usize::from(head[4]) + 2];
        client.read_exact(&mut goal).await?;
        let (name, port) = goal.split_at(goal.len() - 2);
        let port = u16::from_be_bytes([port[0], port[1]]);
        heard.lock().unwrap().push(format!("SOCKS {}:{port}", String::from_utf8_lossy(name)));
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    } else {
        let text = String::from_utf8_lossy(&start).into_owned();
        let words: Vec<&str> = text.split([' ', '\r']).take(2).collect();
        let host = words[1].trim_start_matches("http://").split('/').next().unwrap_or_default();
        heard.lock().unwrap().push(format!("{} {host}", if words[0] == "CONNECT" { "CONNECT" } else { "http" }));
        if words[0] == "CONNECT" {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        } else {
            server.write_all(&start).await?;
        }
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// Fetches a blob of "registry.invalid", which needs no TLS.
async fn fetched(environment: Proxies, settings: RegistrySettings, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
    let surroundings = Surroundings { proxies: environment, ..Surroundings::default() };
    let settings = RegistrySettings { insecure: vec!["registry.invalid".into()], ..settings };
    let name = Reference::parse("registry.invalid/a/b:1").unwrap();
    let registries = Registries::new(surroundings, patience());
    let found = |repository| async { Ok(repository) };
    let repository = registries.first_that(&name, Access::Pull, &Credentials::default(), &settings, found).await?;
    let (mut download, mut bytes) = (repository.download(digest, 4), Vec::new());
    while let Some(step) = download.next().await? {
        if let Step::Data(data) = step {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

fn environment(variable: &'static str, value: &str) -> Proxies {
    let value = value.to_owned();
    Proxies::of_environment(move |name| (name == variable).then(|| value.clone()))
}

#[tokio::test]
async fn the_environment_names_a_proxy_for_each_scheme() {
    let fake = Fake::new().await;
    let digest = fake.blob(b"blob");
    let proxy = Proxy::to(&fake).await;
    let found =
        fetched(environment("ALL_PROXY", &format!("http://{}", proxy.address)), RegistrySettings::default(), &digest);
    assert_eq!(found.await.unwrap(), b"blob");
    assert_eq!(proxy.asked(), ["CONNECT registry.invalid:443", "http registry.invalid"]);
}

#[tokio::test]
async fn socks_is_spoken_and_the_proxy_looks_the_name_up() {
    let fake = Fake::new().await;
    let digest = fake.blob(b"blob");
    let proxy = Proxy::to(&fake).await;
    let found =
        fetched(environment("all_proxy", &format!("socks5://{}", proxy.address)), RegistrySettings::default(), &digest);
    assert_eq!(found.await.unwrap(), b"blob");
    assert_eq!(proxy.asked(), ["SOCKS registry.invalid:443", "SOCKS registry.invalid:80"]);
}

#[tokio::test]
async fn the_settings_proxy_is_asked_instead_and_not_for_whom_there_is_none() {
    let fake = Fake::new().await;
    let digest = fake.blob(b"blob");
    let (unasked, proxy) = (Proxy::to(&fake).await, Proxy::to(&fake).await);
    let elsewhere = || environment("ALL_PROXY", &format!("http://{}", unasked.address));
    let settings = RegistrySettings { proxy: format!("http://{}", proxy.address), ..RegistrySettings::default() };
    assert_eq!(fetched(elsewhere(), settings.clone(), &digest).await.unwrap(), b"blob");
    assert!(unasked.asked().is_empty() && !proxy.asked().is_empty(), "{:?} {:?}", unasked.asked(), proxy.asked());
    let before = proxy.asked();
    let settings = RegistrySettings { no_proxy: vec![".invalid".into()], ..settings };
    let said = fetched(elsewhere(), settings, &digest).await.unwrap_err().to_string();
    assert!(said.contains("registry.invalid"), "{said}");
    assert_eq!(proxy.asked(), before);
}

#[tokio::test]
async fn a_registry_of_this_computer_is_reached_without() {
    let fake = Fake::new().await;
    fake.blob(b"blob");
    let proxy = Proxy::to(&fake).await;
    let surroundings = Surroundings {
        proxies: environment("ALL_PROXY", &format!("http://{}", proxy.address)),
        ..Surroundings::default()
    };
    let found = |repository| async { Ok(repository) };
    let (name, settings) = (fake.name("a/b:1"), RegistrySettings::default());
    let registries = Registries::new(surroundings, patience());
    registries.first_that(&name, Access::Pull, &Credentials::default(), &settings, found).await.unwrap();
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}
