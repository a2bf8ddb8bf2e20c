#!/usr/bin/env bash
# A service manager of its own, for a moment: systemd as the first process of new namespaces, over this machine's files, of
# which nothing is changed. Installs a .deb there with its configuration and a secret, and runs the script on stdin.
#   unshare --mount --cgroup systemd.sh DEB CONFIG SECRET FOLDER
# FOLDER is /said in there: what the script says is in FOLDER/script, what the gateway logs in FOLDER/pinfold.
# Ends with 77 where this machine does not let it, with 137 where it takes longer than three minutes.
set -Eeuo pipefail
deb=$1 config=$2 secret=$3 said=$4
room=$said/room
trap 'exit 77' ERR

hierarchies() { # FOLDER: mounts there what systemd keeps of its services
  mkdir -p "$1"/{systemd,unified}
  mount -t cgroup -o none,name=systemd,xattr cgroup "$1/systemd"
  mount -t cgroup2 cgroup2 "$1/unified"
}

# Outside it has one cgroup of its own, which goes with it.
if [ $$ -ne 1 ]; then
  mount --make-rprivate /
  hierarchies "$said/groups"
  owns=("$said"/groups/{systemd,unified}/pinfold-outer-$$)
  for own in "${owns[@]}"; do
    mkdir "$own"
    echo 0 > "$own/cgroup.procs"
  done
  trap - ERR
  code=0
  timeout --foreground --signal=KILL 180 unshare --mount --pid --fork --kill-child --uts --ipc --cgroup "$0" "$@" || code=$?
  for own in "${owns[@]}"; do
    echo 0 > "${own%/*}/cgroup.procs"
    # The kernel may still be ending what was killed.
    for _ in {1..50}; do
      find "$own" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ -d "$own" ] || break
      sleep 0.1
    done
  done
  [ -d "$room" ] || code=77
  exit "$code"
fi

mkdir "$room"
mount --make-rprivate /
mount -t tmpfs tmpfs "$room"
mkdir "$room"/{up,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$room/up,workdir=$room/work" overlay "$room/root"
cd "$room/root"
cat > "$room/script"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
for folder in run tmp dev sys/fs/cgroup; do mount -t tmpfs tmpfs "$folder"; done
mkdir dev/{shm,pts,mqueue,hugepages}
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for device in null zero full random urandom tty; do
  mknod -m 666 "dev/$device" c "$((0x$(stat -c %t "/dev/$device")))" "$((0x$(stat -c %T "/dev/$device")))"
done
hierarchies sys/fs/cgroup
trap - ERR

cp "$deb" tmp/pinfold.deb
chroot . dpkg --force-unsafe-io --install /tmp/pinfold.deb >/dev/null
cp "$config" etc/pinfold/config.yaml
install -m 600 "$secret" etc/pinfold/secrets/laptop
cp "$room/script" tmp/script
mkdir said old etc/systemd/system/pinfold.service.d
mount --bind "$said" said
# Images for containers have one, which keeps packages from starting anything.
rm -f usr/sbin/policy-rc.d
# A guest starts nothing else, for devices, the kernel and the network are not its own: neither what an administrator enabled,
# nor what generators read from /etc, nor what packages bring.
shopt -s nullglob
rm -rf {etc,usr/local/lib}/systemd/system/*.{wants,requires} {etc,usr/lib,usr/local/lib}/systemd/system-generators
for unit in usr/lib/systemd/system/*.{wants,requires}/* usr/lib/systemd/system/systemd-journald* {network-online,timers,paths}.target; do
  ln -sf /dev/null "etc/systemd/system/${unit##*/}"
done
printf '[Service]\nStandardError=append:/said/pinfold\n' > etc/systemd/system/pinfold.service.d/said.conf
cat > etc/systemd/system/script.service <<'END'
[Service]
Type=oneshot
ExecStart=/bin/bash -eu /tmp/script
ExecStopPost=/bin/systemctl exit
StandardOutput=append:/said/script
StandardError=append:/said/script
END
pivot_root . old
cd /
umount -l old
# Or credentials are mounted where the service does not see them.
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=script.service --show-status=no </dev/null
