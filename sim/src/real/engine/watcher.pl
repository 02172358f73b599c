# Looks, for whoever asks on standard input, line by line; Perl is in every Debian. Each answer is the number of its
# bytes, a line feed, and its items, each as LENGTH:BYTES. Changes nothing; sends the signal that it is asked to send.
use strict;
use Fcntl qw(:DEFAULT :mode);
$| = 1;
binmode STDIN;
binmode STDOUT;

sub contents {
    sysopen my $file, $_[0], O_RDONLY | O_NONBLOCK or return '';
    local $/;
    my $text = readline $file;
    return defined $text ? $text : '';
}

sub names {
    opendir my $dir, $_[0] or return ();
    return sort grep { $_ ne '.' && $_ ne '..' } readdir $dir;
}

# Kind, owner, inode, contents, names.
sub see {
    my ($path) = @_;
    my @is = lstat $path or return ();
    my $kind = S_ISDIR($is[2]) ? 'dir' : S_ISLNK($is[2]) ? 'link' : 'file';
    return ($kind, $is[4], $is[1], S_ISREG($is[2]) ? contents($path) : '', S_ISDIR($is[2]) ? names($path) : ());
}

sub listen_on {
    return sysopen(my $fifo, $_[0], O_WRONLY | O_NONBLOCK) ? '' : "$!";
}

# For each process but this one and the dead: its number, its parent, its state, its words.
sub processes {
    my @all;
    for my $pid (grep { /^\d+$/ && $_ != $$ } names('/proc')) {
        my $status = contents("/proc/$pid/status");
        my ($state) = $status =~ /^State:\s*(\S)/m or next;
        my ($parent) = $status =~ /^PPid:\s*(\d+)/m or next;
        push @all, $pid, $parent, $state, contents("/proc/$pid/cmdline") if $state ne 'Z' && $state ne 'X';
    }
    return @all;
}

while (defined(my $asked = readline STDIN)) {
    chomp $asked;
    my ($what, $with) = split / /, $asked, 2;
    my @items =
        $what eq 'see'       ? see($with)
      : $what eq 'listen'    ? listen_on($with)
      : $what eq 'processes' ? processes()
      : $what eq 'signal' && $with =~ /^([A-Z0-9]+) (\d+)$/ && $2 > 1 ? kill($1, $2)
      :                        ();
    my $all = join '', map { length($_) . ':' . $_ } @items;
    print length($all), "\n", $all;
}
