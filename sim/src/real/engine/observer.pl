# Answers questions about files and processes, one a line of standard input; every Debian has Perl. An answer is its number
# of bytes, a line feed, and its items, each as LENGTH:BYTES. Changes nothing, but sends the signal that it is asked to send.
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
sub file {
    my ($path) = @_;
    my @status = lstat $path or return ();
    my $kind = S_ISDIR($status[2]) ? 'dir' : S_ISLNK($status[2]) ? 'link' : 'file';
    return ($kind, $status[4], $status[1], S_ISREG($status[2]) ? contents($path) : '', S_ISDIR($status[2]) ? names($path) : ());
}

sub fifo_reader {
    return sysopen(my $fifo, $_[0], O_WRONLY | O_NONBLOCK) ? '' : "$!";
}

# For each live process except this one: pid, parent, state, command line.
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

while (defined(my $question = readline STDIN)) {
    chomp $question;
    my ($verb, $argument) = split / /, $question, 2;
    my @items =
        $verb eq 'file'        ? file($argument)
      : $verb eq 'fifo-reader' ? fifo_reader($argument)
      : $verb eq 'processes'   ? processes()
      : $verb eq 'signal' && $argument =~ /^([A-Z0-9]+) (\d+)$/ && $2 > 1 ? kill($1, $2)
      :                          ();
    my $answer = join '', map { length($_) . ':' . $_ } @items;
    print length($answer), "\n", $answer;
}
