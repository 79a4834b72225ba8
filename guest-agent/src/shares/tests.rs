//! What is said to the daemon and what is made of its answers; mounts themselves are seen in a real machine.

use cove_proto::v1::{
    ServeHostFoldersRequest, serve_host_folders_request::News as FromHost, serve_host_folders_response::News as ToHost,
};

use super::{Owner, Shares, SharesError, Wanted};

fn wanted() -> Wanted {
    Wanted { share: "a grant".to_owned(), owner: Owner { uid: 7, gid: 8, user_namespace: false } }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_does_not_come_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let shares = Shares::of_paper(folder.path());
    assert!(matches!(shares.open("container", wanted()).await, Err(SharesError::NoHost)));
    let message = vec![1; 40];
    assert_eq!(shares.ask_host(1, message.clone()).await, Err(message));
}

#[tokio::test]
async fn what_the_daemon_refuses_is_refused_in_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let shares = Shares::of_paper(folder.path());
    let (to_host, mut from_here) = shares.serve();
    let opening = {
        let shares = shares.clone();
        tokio::spawn(async move { shares.open("container", wanted()).await })
    };
    let asked = from_here.recv().await.unwrap();
    let Some(ToHost::Open(open)) = asked.news else { panic!("not asked to open: {asked:?}") };
    assert_eq!((open.share_id.as_str(), open.uid, open.gid), ("a grant", 7, 8));
    let news = Some(FromHost::Refused("it is gone".to_owned()));
    shares.from_host(&to_host, ServeHostFoldersRequest { mount: asked.mount, news });
    assert_eq!(opening.await.unwrap().unwrap_err().to_string(), "it is gone");
}

#[tokio::test]
async fn a_daemon_that_leaves_while_it_is_asked_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let shares = Shares::of_paper(folder.path());
    let (to_host, mut from_here) = shares.serve();
    let opening = {
        let shares = shares.clone();
        tokio::spawn(async move { shares.open("container", wanted()).await })
    };
    from_here.recv().await.unwrap();
    shares.served(&to_host);
    drop((to_host, from_here));
    assert!(matches!(opening.await.unwrap(), Err(SharesError::NoHost)));
}

#[tokio::test]
async fn the_word_of_a_daemon_that_was_replaced_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let shares = Shares::of_paper(folder.path());
    let (old, _old_hears) = shares.serve();
    let (new, mut new_hears) = shares.serve();
    let opening = {
        let shares = shares.clone();
        tokio::spawn(async move { shares.open("container", wanted()).await })
    };
    let mount = new_hears.recv().await.unwrap().mount;
    let refused = |why: &str| ServeHostFoldersRequest { mount, news: Some(FromHost::Refused(why.to_owned())) };
    shares.from_host(&old, refused("the old one's"));
    // Its end does not end the new one.
    shares.served(&old);
    shares.from_host(&new, refused("the new one's"));
    assert_eq!(opening.await.unwrap().unwrap_err().to_string(), "the new one's");
}
