//! What somebody types who knows docker: it works as there, or its message says what to do.

use std::fmt::Write;

/// Commands of a first hour, without `docker`. None needs a network or boots a guest.
const TYPED: &str = "
version
--version
-v
info
system info
system df
system prune -a
ps
ps -a
container ls -a
ls
images
images -q
images -a
image ls
image ls --format {{.ID}}
images --filter dangling=true
image prune -f
prune -f
image rm alpine
rmi -f alpine:3.20
rmi
inspect x
image inspect alpine --format {{.Config}}
inspect -f {{.Id}} alpine
image history alpine
history alpine
run
run -d nginx
run -d -p 8080:80 --name web nginx
run -it --name x alpine sh
run --restart always nginx
run -v /data:/data alpine ls
run -v data:/data postgres
run --mount type=bind,src=/a,dst=/b alpine
run --gpus all alpine
run --privileged alpine
run --cap-add NET_ADMIN alpine
run --network host alpine
run --network bridge alpine
run --cpus 1.5 alpine
run -m 10t alpine
run -m 512 alpine
run --platform linux/arm64 alpine
run --ulimit nofile=1024 alpine
run --link db alpine
run --dns 1.1.1.1 alpine
run --pul always alpine
exec -it web sh
attach web
logs -f web
stop web
kill -s HUP web
rm -f web
start web
restart web
cp web:/etc/hosts .
stats
top web
port web
wait web
build -t app .
buildx build .
push app
tag a b
save -o a.tar a
load -i a.tar
import a.tar
export web
commit web app
login
logout
search redis
network ls
network create net
volume create data
volume ls
compose up -d
events
rn alpine
imges
container run alpine
help ps
";

#[test]
fn whatever_is_typed_is_understood_or_told_with_a_way() {
    let sandbox = super::sandbox();
    let mut told = String::new();
    for line in TYPED.trim().lines() {
        let done = sandbox.mote(line.split_whitespace()).run();
        let _ = writeln!(told, "$ mote {line}\n[{}]", done.status.code().unwrap());
        // What is on this machine, and where the test runs.
        let home = sandbox.home().parent().unwrap().display().to_string();
        for text in [done.text(), done.stderr.clone()] {
            for line in text.lines().filter(|line| !line.starts_with("qemu  ")) {
                let _ = writeln!(told, "{}", line.replace(&home, "BOX").trim_end());
            }
        }
        for bare in ["unrecognized subcommand", "unexpected argument"] {
            assert!(!done.stderr.contains(bare), "{line}: {}", done.stderr);
        }
    }
    insta::assert_snapshot!(told);
}
