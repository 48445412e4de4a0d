using System.Text;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using KafkaEventSourcing.Archive.S3;
using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.Archive.Tests;

public sealed class S3ArchiveStoreTests : ArchiveStoreContract
{
    private static readonly BasicAWSCredentials Credentials = new(S3Double.AccessKey, S3Double.SecretKey);
    private S3Double _s3 = null!;

    public override async ValueTask InitializeAsync()
    {
        _s3 = await S3Double.Start();
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _s3.DisposeAsync();
    }

    private protected override async Task<IArchiveStore> Open() => await Made(Options()).OpenedAsync(create: true, Cancelled);

    [Fact]
    public async Task Bucket_or_prefix_without_an_archive_is_never_taken_for_an_empty_one()
    {
        S3ArchiveOptions other = Options() with { Prefix = "other/place" };
        (await Should.ThrowAsync<ArchiveNotFoundException>(() => Made(other).OpenedAsync(create: false, Cancelled))).Message
            .ShouldStartWith($"There is no archive in s3://{S3Double.Bucket}/other/place (http://127.0.0.1:");
        await (await Made(other).OpenedAsync(create: true, Cancelled)).DisposeAsync();
        await (await Made(other).OpenedAsync(create: false, Cancelled)).DisposeAsync();
        (await Should.ThrowAsync<IOException>(() => Made(Options() with { Bucket = "none" }).OpenedAsync(create: true, Cancelled)))
            .Message.ShouldEndWith("There is no such bucket. It is not made by itself.");

        await Store.DeleteAsync("archive.json", Cancelled);
        await Should.ThrowAsync<ArchiveNotFoundException>(async () => await Store.FindAsync(Name("a"), Cancelled));
        await Should.ThrowAsync<ArchiveNotFoundException>(() => Read("a", 0, 1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Store_that_takes_no_notice_of_conditions_is_refused_before_anything_is_written(bool inPartsAlone)
    {
        await Create("a", "content");
        (_s3.IgnoresConditions, _s3.IgnoresConditionsOfParts) = (!inPartsAlone, true);
        await using S3ArchiveStore store = await Made(Options(), new S3ArchiveLimits { LargestPut = 100 }).OpenedAsync(false, Cancelled);
        using var content = new MemoryStream(new byte[101]);
        (await Should.ThrowAsync<IOException>(() => store.TryCreateAsync(Name("b"), content, Cancelled))).Message
            .ShouldContain($"takes no notice of 'If-None-Match: *' "
                + $"in {(inPartsAlone ? "CompleteMultipartUpload" : "PutObject")}: two writers");
        _s3.Objects.Keys.ShouldBe(["main/archive.json", "main/" + Name("a")]);
        _s3.OpenUploads.ShouldBe(0);
    }

    [Fact]
    public async Task File_that_is_sent_in_parts_is_whole_or_not_there_and_leaves_no_parts()
    {
        byte[] content = new byte[13 * 1024 * 1024 + 1];
        new Random(5).NextBytes(content);
        await using S3ArchiveStore store = await Made(Options(), InParts()).OpenedAsync(create: false, Cancelled);
        using var stream = new MemoryStream(content);
        var faults = new Queue<S3Fault>([S3Fault.None, S3Fault.Cut, S3Fault.None, S3Fault.SlowDown, S3Fault.DoneAndCut]);
        await store.TryCreateAsync(Name("probes"), new MemoryStream(new byte[6 * 1024 * 1024]), Cancelled);
        _s3.Faults = _ => faults.TryDequeue(out S3Fault next) ? next : S3Fault.None;
        (await store.TryCreateAsync(Name("a"), stream, Cancelled)).ShouldBeTrue();
        _s3.Objects["main/" + Name("a")].AsSpan().SequenceEqual(content).ShouldBeTrue();
        stream.Position = 0;
        (await store.TryCreateAsync(Name("a"), stream, Cancelled)).ShouldBeFalse();
        _s3.OpenUploads.ShouldBe(0);
    }

    [Theory]
    [InlineData(S3Fault.DoneAndCut)]
    [InlineData(S3Fault.DoneAndError)]
    public async Task File_that_was_stored_and_not_answered_is_known_as_made_by_this_call(object fault)
    {
        await Create("probed", "");
        foreach (bool parts in new[] { false, true })
        {
            string name = Name($"a{parts}");
            await using S3ArchiveStore store = await Made(Options(), parts ? InParts() : null).OpenedAsync(create: false, Cancelled);
            using var content = new MemoryStream(new byte[6 * 1024 * 1024]);
            await store.TryCreateAsync(Name("probes" + parts), content, Cancelled);
            bool isDone = false;
            _s3.Faults = r => IsCommit(r, parts) && !isDone && (isDone = true) ? (S3Fault)fault : S3Fault.None;
            content.Position = 0;
            (await store.TryCreateAsync(name, content, Cancelled)).ShouldBeTrue("the attempt that was not answered made it");
            isDone.ShouldBeTrue();
            content.Position = 0;
            (await store.TryCreateAsync(name, content, Cancelled)).ShouldBeFalse("it was there, with the same content");
            _s3.Faults = null;
        }

        static bool IsCommit(HttpRequest r, bool parts) =>
            parts ? r.Method == "POST" && r.Query.ContainsKey("uploadId") : r.Method == "PUT";
    }

    [Fact]
    public async Task Place_that_fails_for_good_is_an_error_that_says_where_and_what()
    {
        await Create("a", "content");
        _s3.Faults = _ => S3Fault.InternalError;
        string at = $"the archive in {Store.Location}: We encountered an internal error. Please try again. (500)";
        string unsaid = $"the archive in {Store.Location}: The store answered 500, and not why.";
        (await Should.ThrowAsync<IOException>(() => Create("b", "content"))).Message.ShouldBe(
            $"The file '{Name("b")}' cannot be made in {unsaid}", "the last thing asked was whether it is there");
        (await Should.ThrowAsync<IOException>(() => Read("a", 0, 1))).Message.ShouldBe($"The file '{Name("a")}' cannot be read from {at}");
        (await Should.ThrowAsync<IOException>(() => List(""))).Message.ShouldBe($"The files cannot be listed of {at}");
        await Should.ThrowAsync<IOException>(async () => await Store.FindAsync(Name("a"), Cancelled));
        await Should.ThrowAsync<IOException>(async () => await Store.DeleteAsync(Name("a"), Cancelled));
        _s3.Faults = null;
        await using var denied = new S3ArchiveStore(Options(), new BasicAWSCredentials("AKIAOTHER", "s"), new S3ArchiveLimits());
        (await Should.ThrowAsync<IOException>(() => denied.ReadAsync(Name("a"), 0, new byte[1], Cancelled))).Message
            .ShouldContain("The credentials need s3:GetObject and s3:ListBucket");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Hundred_faults_among_creates_of_two_writers_lose_nothing_and_double_nothing(int seed)
    {
        await using IArchiveStore other = await Open();
        await Create("probe", "");
        await Create("probe2", "", other);
        var random = new Random(seed);
        int faults = 0;
        var lockOfRandom = new Lock();
        _s3.Faults = _ =>
        {
            lock (lockOfRandom)
            {
                S3Fault next = faults < 100 && random.Next(3) == 0 ? (S3Fault)random.Next(1, 7) : S3Fault.None;
                faults += next == S3Fault.None ? 0 : 1;
                return next;
            }
        };
        for (int i = 0; faults < 100; i++)
        {
            // Some give what the other gives, as two nodes do that archive one range.
            string[] offered = i % 3 == 0 ? ["the same", "the same"] : [$"one's {i}", $"the other's {i}"];
            bool[] made = await Task.WhenAll(Create($"f{i:000}", offered[0]), Create($"f{i:000}", offered[1], other));
            made.Count(m => m).ShouldBe(1, $"file {i}");
            Encoding.UTF8.GetString(_s3.Objects[$"main/{Name($"f{i:000}")}"]).ShouldBe(offered[Array.IndexOf(made, true)]);
            (await Text($"f{i:000}")).ShouldBe(offered[Array.IndexOf(made, true)]);
            (await List("f")).Count.ShouldBe(i + 1);
        }
    }

    [Fact]
    public async Task Double_takes_what_the_sdk_sends_by_default_and_refuses_what_is_not_what_it_says()
    {
        using var client = new AmazonS3Client(Credentials, new AmazonS3Config
        {
            ServiceURL = _s3.Address.ToString(), ForcePathStyle = true, AuthenticationRegion = "us-east-1", MaxErrorRetry = 0,
        });
        var framed = new PutObjectRequest { BucketName = S3Double.Bucket, Key = "framed", ContentBody = new string('x', 200_000) };
        await client.PutObjectAsync(framed, Cancelled);
        _s3.Objects["framed"].Length.ShouldBe(200_000);
        var wrong = new PutObjectRequest
        {
            BucketName = S3Double.Bucket,
            Key = "wrong",
            ContentBody = "a",
            ChecksumSHA256 = new string('A', 43) + "=",
        };
        (await Should.ThrowAsync<AmazonS3Exception>(() => client.PutObjectAsync(wrong, Cancelled))).ErrorCode.ShouldBe("BadDigest");
    }

    /// <summary><c>KES_TEST_S3RVER</c>: the address of an s3rver that has the bucket.</summary>
    [Fact]
    public async Task S3rver_takes_no_notice_of_conditions_and_is_refused()
    {
        string? address = Environment.GetEnvironmentVariable("KES_TEST_S3RVER");
        Assert.SkipWhen(string.IsNullOrEmpty(address), "KES_TEST_S3RVER is not set.");
        var options = new S3ArchiveOptions { Bucket = S3Double.Bucket, Prefix = Name("s3rver"), Endpoint = new Uri(address) };
        await using var store = new S3ArchiveStore(options, new BasicAWSCredentials("S3RVER", "S3RVER"), new S3ArchiveLimits());
        (await Should.ThrowAsync<IOException>(() => store.OpenedAsync(create: true, Cancelled))).Message
            .ShouldContain("takes no notice of 'If-None-Match: *'");
    }

    private S3ArchiveOptions Options() => new() { Bucket = S3Double.Bucket, Prefix = "main", Endpoint = _s3.Address };

    private static S3ArchiveStore Made(S3ArchiveOptions options, S3ArchiveLimits? limits = null) =>
        new(options, Credentials, (limits ?? new S3ArchiveLimits()) with { Attempts = 9, Delay = TimeSpan.FromMilliseconds(1) });

    private static S3ArchiveLimits InParts() => new() { LargestPut = 5 * 1024 * 1024, PartBytes = 5 * 1024 * 1024 };
}
