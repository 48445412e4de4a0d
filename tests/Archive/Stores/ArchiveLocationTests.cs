using KafkaEventSourcing.Archive.Azure;
using KafkaEventSourcing.Archive.S3;
using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Archive.Tests;

public sealed class ArchiveLocationTests
{
    [Theory]
    [InlineData("/var/archive", "file", "", "/var/archive")]
    [InlineData("file:///var/the%20archive", "file", "", "/var/the archive")]
    [InlineData("file://localhost/var/archive", "file", "", "/var/archive")]
    [InlineData("s3://bucket", "s3", "bucket", "")]
    [InlineData("S3://bucket/a/b/?region=eu-central-1", "s3", "bucket", "a/b")]
    [InlineData("azblob://container/a", "azblob", "container", "a")]
    [InlineData("https://my.blob.core.windows.net/container/a?sv=1&sig=secret", "https", "my.blob.core.windows.net", "container/a")]
    public void Parse_a_place_says_kind_name_and_path(string text, string scheme, string authority, string path)
    {
        ArchiveLocation location = ArchiveLocation.Parse(text);
        (location.Scheme, location.Authority, location.Path).ShouldBe((scheme, authority, path));
        location.ToString().ShouldNotContain("secret");
    }

    [Theory]
    [InlineData("", "is missing")]
    [InlineData("s3://", "does not say where")]
    [InlineData("s3:///a", "does not say where")]
    [InlineData("s3://key:secret@bucket/a", "neither '@' nor '#'")]
    [InlineData("s3://bucket/../a", "'../a' cannot be where an archive is")]
    [InlineData("s3://bucket/a%2F..%2Fb", "cannot be where an archive is")]
    [InlineData("s3://bucket?region", "is name=value, and this is not: 'region'")]
    [InlineData("s3://bucket?region=a&Region=b", "is there twice")]
    [InlineData("file://host/a", "with neither host nor parameters")]
    [InlineData("s 3://bucket", "'s 3' is not the kind of a place")]
    public void Parse_what_is_not_a_place_says_what_is_wrong(string text, string expected)
    {
        string said = Should.Throw<FormatException>(() => ArchiveLocation.Parse(text)).Message;
        said.ShouldContain(expected);
        said.ShouldNotContain("secret");
    }

    [Fact]
    public void Options_of_S3_are_those_of_the_url()
    {
        S3ArchiveOptions.From(ArchiveLocation.Parse("s3://bucket/a/b?region=eu-central-1&endpoint=http://127.0.0.1:9000&pathStyle=false"))
            .ShouldBe(new S3ArchiveOptions
            {
                Bucket = "bucket",
                Prefix = "a/b",
                Region = "eu-central-1",
                Endpoint = new Uri("http://127.0.0.1:9000"),
                PathStyle = false,
            });
        Said("s3://bucket?zone=a").ShouldBe("s3://bucket does not have a parameter 'zone'; it may have region, endpoint, pathStyle.");
        Said("s3://bucket?endpoint=127.0.0.1:9000").ShouldContain("it is http or https, a host and perhaps a port");
        Said("s3://bucket?endpoint=http://user:secret@host").ShouldNotContain("secret");
        Said("s3://bucket?pathStyle=yes").ShouldBe("'pathStyle=yes' of s3://bucket is neither true nor false.");

        static string Said(string text) =>
            Should.Throw<FormatException>(() => S3ArchiveOptions.From(ArchiveLocation.Parse(text))).Message;
    }

    [Fact]
    public void Options_of_Azure_are_those_of_the_url_and_are_told_without_the_signature()
    {
        AzureArchiveOptions.From(ArchiveLocation.Parse("azblob://container/a/b"))
            .ShouldBe(new AzureArchiveOptions { Container = "container", Prefix = "a/b" });
        AzureArchiveOptions signed = AzureArchiveOptions.From(
            ArchiveLocation.Parse("https://account.blob.core.windows.net/container/a/b?sv=1&sig=sec%2Bret"));
        signed.ShouldBe(new AzureArchiveOptions
        {
            ContainerAddress = new Uri("https://account.blob.core.windows.net/container?sv=1&sig=sec%2Bret"),
            Prefix = "a/b",
        });
        signed.ToString().ShouldBe("https://account.blob.core.windows.net/container/a/b");
        Should.Throw<FormatException>(() => AzureArchiveOptions.From(ArchiveLocation.Parse("https://account.blob.core.windows.net")))
            .Message.ShouldContain("does not name a container");
    }

    [Fact]
    public async Task Archives_are_opened_by_the_packages_that_are_there()
    {
        string folder = Directory.CreateTempSubdirectory("kes-archive-").FullName;
        try
        {
            var bare = new ArchiveStores([]);
            await Should.ThrowAsync<ArchiveNotFoundException>(() => bare.OpenAsync(folder, create: false));
            await (await bare.OpenAsync(folder, create: true)).DisposeAsync();
            await using IArchiveStore opened = await bare.OpenAsync($"file://{folder}", create: false);
            opened.Location.ShouldBe(folder);
            (await Should.ThrowAsync<FormatException>(() => bare.OpenAsync("s3://bucket/a?region=x", create: false))).Message.ShouldBe(
                "The archive at s3://bucket/a cannot be opened: the package KafkaEventSourcing.Archive.S3 (AddS3Archive) is not there.");
            (await Should.ThrowAsync<FormatException>(() => bare.OpenAsync("ftp://host/a", create: false))).Message.ShouldBe(
                "The archive at ftp://host/a cannot be opened: an archive is at file://.");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        await using ServiceProvider services =
            new ServiceCollection().AddS3Archive().AddS3Archive().AddAzureArchive().BuildServiceProvider();
        services.GetServices<IArchiveStoreProvider>().SelectMany(p => p.Schemes).ShouldBe(["s3", "azblob", "https"]);
        services.GetRequiredService<ArchiveStores>();
    }
}
