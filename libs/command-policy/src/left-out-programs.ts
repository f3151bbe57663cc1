/**
 * The programs of a usual image that the built-in list leaves out, by reason. A refusal gives the
 * reason. A test compares the list and this table with the programs of the sandbox image.
 */
export const LEFT_OUT_PROGRAMS: Readonly<Record<string, string>> = {
  'it changes users and groups, which are part of the read-only image': `add-shell addgroup adduser chage chfn chgpasswd chpasswd chsh cpgr
    cppw delgroup deluser expiry faillock faillog gpasswd groupadd groupdel groupmems groupmod grpck grpconv grpunconv lastlog
    mkhomedir_helper newusers pam-auth-update pam_getenv pam_namespace_helper pam_timestamp_check passwd pwck pwconv pwhistory_helper
    pwunconv remove-shell shadowconfig unix_chkpwd unix_update update-passwd update-shells useradd userdel usermod vigr vipw`,
  'it acts as another user, and a sandbox has one': 'agetty getty git-shell login newgrp nologin runuser sg su sudo sulogin',
  'it works on disks and devices, and a sandbox has none': `addpart badblocks blkdiscard blkzone blockdev chcpu chmem ctrlaltdel debugfs
    delpart dumpe2fs e2freefrag e2fsck e2image e2label e2mmpstatus e2scrub e2scrub_all e2undo e4crypt e4defrag findfs fsck fsck.cramfs
    fsck.ext2 fsck.ext3 fsck.ext4 fsck.minix fsfreeze fstab-decode fstrim hwclock ldattach losetup mke2fs mkfs mkfs.bfs mkfs.cramfs
    mkfs.ext2 mkfs.ext3 mkfs.ext4 mkfs.minix mklost+found mkswap partx readprofile resize2fs resizepart rtcwake swaplabel swapoff swapon
    tune2fs wdctl wipefs zramctl`,
  'it needs privileges that no sandbox has': 'nsenter pivot_root switch_root unshare',
  'it ends every process of the sandbox': 'killall5',
  'the package manager runs it itself, and the image is read-only': `apt-cdrom apt-config apt-key deb-systemd-helper deb-systemd-invoke
    debconf debconf-apt-progress debconf-communicate debconf-copydb debconf-escape debconf-set-selections debconf-show dpkg-divert
    dpkg-fsys-usrunmess dpkg-maintscript-helper dpkg-preconfigure dpkg-realpath dpkg-reconfigure dpkg-split dpkg-statoverride
    dpkg-trigger findrule installkernel update-ca-certificates update-rc.d`,
  'tar runs it itself, for tapes': 'rmt rmt-tar',
  'it sends a report by mail, and there is no network': 'bashbug gawkbug perlbug perlthanks',
};

/** The reason, by program. */
const REASON: ReadonlyMap<string, string> = new Map(
  Object.entries(LEFT_OUT_PROGRAMS).flatMap(([reason, names]) => names.split(/\s+/).map((name) => [name, reason] as const)),
);

/**
 * @returns why the built-in list leaves the program out; undefined if this table does not have it
 */
export function whyLeftOut(program: string): string | undefined {
  return REASON.get(program);
}
